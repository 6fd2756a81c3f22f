//! The part of a proxy-wasm host (ABI 0.2.1) that the filter needs to serve a request, without
//! Envoy. It counts the work that Envoy would have to do.

use std::collections::{BTreeMap, HashMap};

use wasmi::{Caller, Config, Engine, Extern, Func, Linker, Memory, Store, Val};

/// Enough for every test.
const FUEL: u64 = 1 << 50;

/// The statuses of the ABI.
const OK: i32 = 0;
const NOT_FOUND: i32 = 1;
const CAS_MISMATCH: i32 = 8;

/// The maps and buffers of the ABI.
const REQUEST_HEADERS: i32 = 0;
const VM_CONFIGURATION: i32 = 6;

/// Header names and values.
pub(crate) type Headers = Vec<(String, String)>;

/// The work of the module since the counts were taken last.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Instructions of the module, as its interpreter counts them.
    pub(crate) instructions: u64,
    /// Calls of the module by Envoy, by callback.
    pub(crate) callbacks: BTreeMap<String, u32>,
    /// Calls of Envoy by the module, by function.
    pub(crate) calls: BTreeMap<&'static str, u32>,
    /// Calls in which Envoy had to ask the module for memory.
    pub(crate) allocations: u32,
    /// The names in shared data that the module has read.
    pub(crate) read: Vec<String>,
    /// Each call of Envoy, with the instructions before it.
    pub(crate) course: Vec<(String, u64)>,
}

impl Counts {
    /// All calls of Envoy.
    pub(crate) fn host_calls(&self) -> u32 {
        self.calls.values().sum()
    }
}

/// The state that Envoy keeps.
pub(crate) struct World {
    pub(crate) shared: HashMap<String, (Vec<u8>, u32)>,
    pub(crate) request: Headers,
    pub(crate) response: Headers,
    pub(crate) now_ns: u64,
    pub(crate) answered: Option<i32>,
    properties: HashMap<Vec<u8>, Vec<u8>>,
    configuration: Vec<u8>,
    version: u32,
    random: u8,
    counts: Counts,
    fuel: u64,
}

impl World {
    fn set(&mut self, name: String, value: Vec<u8>) {
        self.version += 1;
        self.shared.insert(name, (value, self.version));
    }

    fn map(&mut self, map: i32) -> &mut Headers {
        if map == REQUEST_HEADERS { &mut self.request } else { &mut self.response }
    }
}

/// A VM with the module in it.
pub(crate) struct Vm {
    pub(crate) store: Store<World>,
    instance: wasmi::Instance,
}

impl Vm {
    /// Starts a VM as Envoy does, with one root context.
    pub(crate) fn start(
        module: &[u8],
        configuration: &str,
        now_ns: u64,
        shared: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = wasmi::Module::new(&engine, module).expect("a module");
        let world = World {
            shared: HashMap::new(),
            request: Vec::new(),
            response: Vec::new(),
            now_ns,
            answered: None,
            properties: HashMap::new(),
            configuration: configuration.as_bytes().to_vec(),
            version: 0,
            random: 0,
            counts: Counts::default(),
            fuel: FUEL,
        };
        let mut store = Store::new(&engine, world);
        store.set_fuel(FUEL).expect("fuel is counted");
        for (name, value) in shared {
            store.data_mut().set(name, value);
        }
        let mut linker = Linker::new(&engine);
        define(&mut linker);
        // These are imports of the standard library, which no request of these tests reaches.
        for import in module.imports() {
            let Some(ty) = import.ty().func() else { continue };
            let nothing = Func::new(&mut store, ty.clone(), |_, _, results| {
                results.fill(Val::I32(OK));
                Ok(())
            });
            // A function that is defined already stays.
            let _ = linker.define(import.module(), import.name(), nothing);
        }
        let instance = linker.instantiate_and_start(&mut store, &module).expect("it starts");
        let mut vm = Self { store, instance };
        let size = i32::try_from(configuration.len()).expect("a short text");
        vm.call("_initialize", &[]);
        vm.call("proxy_on_context_create", &[1, 0]);
        assert_ne!(vm.call("proxy_on_vm_start", &[1, size]), Some(0), "the VM starts");
        assert_ne!(vm.call("proxy_on_configure", &[1, 0]), Some(0), "the configuration is good");
        vm.call("proxy_on_tick", &[1]);
        vm
    }

    /// Calls a callback, if the module exports it.
    pub(crate) fn call(&mut self, callback: &str, args: &[i32]) -> Option<i32> {
        let function = self.instance.get_func(&self.store, callback)?;
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        *self.store.data_mut().counts.callbacks.entry(callback.to_owned()).or_default() += 1;
        note(&mut self.store.data_mut().counts, "-> ", callback, 0);
        function
            .call(&mut self.store, &args, &mut results)
            .unwrap_or_else(|error| panic!("{callback}: {error}"));
        let left = self.store.get_fuel().expect("fuel is counted");
        let world = self.store.data_mut();
        let spent = world.fuel - left;
        note(&mut world.counts, "<- ", callback, spent);
        world.fuel = left;
        world.counts.instructions += spent;
        results.first().and_then(Val::i32)
    }

    /// One request and its answer, in the order in which Envoy 1.40 calls back. Returns the
    /// filter's action for the request.
    pub(crate) fn exchange(
        &mut self,
        context: i32,
        request: Headers,
        response: Headers,
    ) -> Option<i32> {
        let world = self.store.data_mut();
        (world.request, world.response, world.answered) = (request, response, None);
        let count = |headers: &Headers| i32::try_from(headers.len()).expect("some headers");
        let (asked, told) = (count(&world.request), count(&world.response));
        self.call("proxy_on_context_create", &[context, 1]);
        let action = self.call("proxy_on_request_headers", &[context, asked, 1]);
        self.call("proxy_on_response_headers", &[context, told, 0]);
        self.call("proxy_on_response_body", &[context, 3, 1]);
        self.call("proxy_on_log", &[context]);
        self.call("proxy_on_done", &[context]);
        self.call("proxy_on_delete", &[context]);
        action
    }

    /// A number that the module exports.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let global = self.instance.get_global(&self.store, name).expect("a number");
        global.get(&self.store).i64().expect("of 64 bits")
    }

    /// Takes the counts, and begins anew.
    pub(crate) fn counts(&mut self) -> Counts {
        std::mem::take(&mut self.store.data_mut().counts)
    }

    /// Writes into shared data, as another VM would.
    pub(crate) fn write(&mut self, name: &str, value: Vec<u8>) {
        self.store.data_mut().set(name.to_owned(), value);
    }
}

fn note(counts: &mut Counts, arrow: &str, what: &str, instructions: u64) {
    counts.course.push((format!("{arrow}{what}"), instructions));
}

/// A call of Envoy by the module.
struct Call<'a> {
    caller: Caller<'a, World>,
    memory: Memory,
}

impl<'a> Call<'a> {
    fn new(mut caller: Caller<'a, World>, name: &'static str) -> Self {
        let left = caller.get_fuel().expect("fuel is counted");
        let world = caller.data_mut();
        let spent = world.fuel - left;
        world.fuel = left;
        world.counts.instructions += spent;
        *world.counts.calls.entry(name).or_default() += 1;
        note(&mut world.counts, "   ", name, spent);
        let memory = caller.get_export("memory").and_then(Extern::into_memory).expect("its memory");
        Self { caller, memory }
    }

    fn bytes(&self, at: i32, len: i32) -> Vec<u8> {
        let (at, len) =
            (usize::try_from(at).expect("an address"), usize::try_from(len).expect("a length"));
        self.memory.data(&self.caller)[at..at + len].to_vec()
    }

    fn text(&self, at: i32, len: i32) -> String {
        String::from_utf8(self.bytes(at, len)).expect("a text")
    }

    fn put(&mut self, at: i32, bytes: &[u8]) {
        let at = usize::try_from(at).expect("an address");
        self.memory.write(&mut self.caller, at, bytes).expect("it is within its memory");
    }

    /// Hands a value into the VM, which has to give memory for it unless it is empty.
    fn hand_over(&mut self, value: &[u8], data: i32, len: i32) -> i32 {
        let size = i32::try_from(value.len()).expect("some megabytes at most");
        let mut at = 0;
        if size > 0 {
            let allocate =
                self.caller.get_export("proxy_on_memory_allocate").and_then(Extern::into_func);
            let mut address = [Val::I32(0)];
            self.caller.data_mut().counts.allocations += 1;
            let call = allocate.expect("an allocator").call(
                &mut self.caller,
                &[Val::I32(size)],
                &mut address,
            );
            call.expect("there is room");
            at = address[0].i32().expect("an address");
            self.put(at, value);
        }
        self.put(data, &at.to_le_bytes());
        self.put(len, &size.to_le_bytes());
        OK
    }
}

/// Defines the functions that a request may call.
fn define(linker: &mut Linker<World>) {
    define_maps(linker);
    define_values(linker);
    let log = |caller: Caller<'_, World>, _level: i32, at: i32, len: i32| -> i32 {
        let call = Call::new(caller, "log");
        eprintln!("the module says: {}", call.text(at, len));
        OK
    };
    linker.func_wrap("env", "proxy_log", log).expect("new");
    let now = |caller: Caller<'_, World>, at: i32| -> i32 {
        let mut call = Call::new(caller, "get_current_time");
        let now_ns = call.caller.data().now_ns;
        call.put(at, &now_ns.to_le_bytes());
        OK
    };
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", now).expect("new");
    let random = |caller: Caller<'_, World>, at: i32, len: i32| -> i32 {
        let mut call = Call::new(caller, "random_get");
        for place in at..at + len {
            call.caller.data_mut().random =
                call.caller.data().random.wrapping_mul(5).wrapping_add(17);
            let byte = call.caller.data().random;
            call.put(place, &[byte]);
        }
        OK
    };
    linker.func_wrap("wasi_snapshot_preview1", "random_get", random).expect("new");
    let answer = |caller: Caller<'_, World>,
                  status: i32,
                  _: i32,
                  _: i32,
                  _: i32,
                  _: i32,
                  _: i32,
                  _: i32,
                  _: i32|
     -> i32 {
        let mut call = Call::new(caller, "send_local_response");
        call.caller.data_mut().answered = Some(status);
        OK
    };
    linker.func_wrap("env", "proxy_send_local_response", answer).expect("new");
}

fn define_maps(linker: &mut Linker<World>) {
    let pairs = |caller: Caller<'_, World>, map: i32, data: i32, len: i32| -> i32 {
        let mut call = Call::new(caller, "get_header_map_pairs");
        let map = serialised(call.caller.data_mut().map(map));
        call.hand_over(&map, data, len)
    };
    linker.func_wrap("env", "proxy_get_header_map_pairs", pairs).expect("new");
    let value = |caller: Caller<'_, World>,
                 map: i32,
                 name: i32,
                 name_len: i32,
                 data: i32,
                 len: i32|
     -> i32 {
        let mut call = Call::new(caller, "get_header_map_value");
        let name = call.text(name, name_len);
        let map = call.caller.data_mut().map(map);
        match map.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()) {
            Some(value) => call.hand_over(value.as_bytes(), data, len),
            None => NOT_FOUND,
        }
    };
    linker.func_wrap("env", "proxy_get_header_map_value", value).expect("new");
    type Edit = fn(&mut Headers, String, String);
    let edits: [(&'static str, &'static str, Edit); 2] = [
        ("proxy_add_header_map_value", "add_header_map_value", |map, name, value| {
            map.push((name, value))
        }),
        ("proxy_replace_header_map_value", "replace_header_map_value", |map, name, value| {
            map.retain(|(known, _)| *known != name);
            map.push((name, value));
        }),
    ];
    for (import, counted, edit) in edits {
        let edit = move |caller: Caller<'_, World>,
                         map: i32,
                         name: i32,
                         name_len: i32,
                         value: i32,
                         len: i32|
              -> i32 {
            let mut call = Call::new(caller, counted);
            let (name, value) = (call.text(name, name_len), call.text(value, len));
            edit(call.caller.data_mut().map(map), name, value);
            OK
        };
        linker.func_wrap("env", import, edit).expect("new");
    }
    let remove = |caller: Caller<'_, World>, map: i32, name: i32, name_len: i32| -> i32 {
        let mut call = Call::new(caller, "remove_header_map_value");
        let name = call.text(name, name_len);
        call.caller.data_mut().map(map).retain(|(known, _)| *known != name);
        OK
    };
    linker.func_wrap("env", "proxy_remove_header_map_value", remove).expect("new");
}

fn define_values(linker: &mut Linker<World>) {
    let get = |caller: Caller<'_, World>,
               name: i32,
               name_len: i32,
               data: i32,
               len: i32,
               cas: i32|
     -> i32 {
        let mut call = Call::new(caller, "get_shared_data");
        let name = call.text(name, name_len);
        call.caller.data_mut().counts.read.push(name.clone());
        let Some((value, version)) = call.caller.data().shared.get(&name).cloned() else {
            return NOT_FOUND;
        };
        call.put(cas, &version.to_le_bytes());
        call.hand_over(&value, data, len)
    };
    linker.func_wrap("env", "proxy_get_shared_data", get).expect("new");
    let set = |caller: Caller<'_, World>,
               name: i32,
               name_len: i32,
               value: i32,
               len: i32,
               cas: i32|
     -> i32 {
        let mut call = Call::new(caller, "set_shared_data");
        let (name, value) = (call.text(name, name_len), call.bytes(value, len));
        let known = call.caller.data().shared.get(&name).map(|(_, version)| *version);
        if cas != 0 && known.is_some_and(|known| known != cas.cast_unsigned()) {
            return CAS_MISMATCH;
        }
        call.caller.data_mut().set(name, value);
        OK
    };
    linker.func_wrap("env", "proxy_set_shared_data", set).expect("new");
    let buffer = |caller: Caller<'_, World>,
                  buffer: i32,
                  _start: i32,
                  _max: i32,
                  data: i32,
                  len: i32|
     -> i32 {
        let mut call = Call::new(caller, "get_buffer_bytes");
        match buffer {
            VM_CONFIGURATION => {
                let configuration = call.caller.data().configuration.clone();
                call.hand_over(&configuration, data, len)
            }
            _ => NOT_FOUND,
        }
    };
    linker.func_wrap("env", "proxy_get_buffer_bytes", buffer).expect("new");
    let get = |caller: Caller<'_, World>, path: i32, path_len: i32, data: i32, len: i32| -> i32 {
        let mut call = Call::new(caller, "get_property");
        let path = call.bytes(path, path_len);
        match call.caller.data().properties.get(&path).cloned() {
            Some(value) => call.hand_over(&value, data, len),
            None => NOT_FOUND,
        }
    };
    linker.func_wrap("env", "proxy_get_property", get).expect("new");
    let set = |caller: Caller<'_, World>, path: i32, path_len: i32, value: i32, len: i32| -> i32 {
        let mut call = Call::new(caller, "set_property");
        let (path, value) = (call.bytes(path, path_len), call.bytes(value, len));
        call.caller.data_mut().properties.insert(path, value);
        OK
    };
    linker.func_wrap("env", "proxy_set_property", set).expect("new");
}

/// A map in the form of the ABI.
fn serialised(headers: &Headers) -> Vec<u8> {
    let number = |len: usize| u32::try_from(len).expect("short").to_le_bytes();
    let mut map = number(headers.len()).to_vec();
    for (name, value) in headers {
        map.extend(number(name.len()));
        map.extend(number(value.len()));
    }
    for (name, value) in headers {
        map.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    map
}
