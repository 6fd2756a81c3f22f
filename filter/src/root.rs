//! The state of one VM; routes each callback to the part that handles it.

use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, LogLevel};

use crate::config::{Config, Role};
use crate::exchanges::Exchanges;
use crate::filter_state;
use crate::http::{fail_closed, now_ms};
use crate::mirror::{Singleton, TICK, Watch};
use crate::report::Reporter;
use crate::vm::Vm;

/// The state of one VM. Its configuration is the VM's own, not the plugin's: plugins of the same
/// name may share a VM, and a request does not say by which of them it came.
pub(crate) struct Root {
    config: Config,
    /// The contexts of the plugins in this VM; the first one's ticks count.
    plugins: Vec<u32>,
    /// The state by which a worker decides; `None` in the mirror's VM.
    vm: Option<Vm>,
    /// The requests under way, by the numbers of their contexts.
    exchanges: Exchanges,
    /// Present in the VM that is the mirror.
    singleton: Option<Singleton>,
    watch: Watch,
    reporter: Reporter,
}

impl Root {
    /// Starts a VM with a configuration of so many bytes. `None`, which is logged, if it cannot be
    /// read: Envoy then does not serve with it.
    pub(crate) fn start(size: usize) -> Option<Self> {
        let bytes = match size {
            0 => None,
            size => hostcalls::get_buffer(BufferType::VmConfiguration, 0, size).ok().flatten(),
        };
        let config =
            Config::parse(bytes.as_deref().unwrap_or_default()).map_err(|error| error.to_string());
        match config.and_then(|config| Self::with(config).map_err(str::to_owned)) {
            Ok(root) => Some(root),
            Err(error) => {
                complain(&format!(
                    "the configuration of the VM (vm_config.configuration) is wrong: {error}"
                ));
                None
            }
        }
    }

    fn with(config: Config) -> Result<Self, &'static str> {
        let vm = match config.role {
            Role::Filter => Some(Vm::new(config.clone()).ok_or("the host gives no random bytes")?),
            Role::Mirror => None,
        };
        Ok(Self {
            config,
            plugins: Vec::new(),
            vm,
            exchanges: Exchanges::default(),
            singleton: None,
            watch: Watch::default(),
            reporter: Reporter::default(),
        })
    }

    /// A plugin is configured: a further one of the VM, or one more time.
    pub(crate) fn configure(&mut self, plugin: u32, size: usize) -> bool {
        if size > 0 {
            complain(
                "the plugin has a configuration of its own: it belongs into \
                 vm_config.configuration",
            );
            return false;
        }
        if !self.plugins.contains(&plugin) {
            self.plugins.push(plugin);
        }
        match self.config.role {
            Role::Filter => {
                filter_state::declare();
                let _ = hostcalls::set_tick_period(TICK);
            }
            Role::Mirror if self.singleton.is_none() => {
                self.singleton = Some(Singleton::start(self.config.xds_cluster.clone()));
            }
            Role::Mirror => {}
        }
        true
    }

    pub(crate) fn tick(&mut self, plugin: u32) {
        if self.plugins.first() != Some(&plugin) {
            return;
        }
        self.look_after_mirror();
        if let Some(vm) = &mut self.vm {
            vm.tick(now_ms());
            self.reporter.tick(vm);
        }
    }

    fn look_after_mirror(&mut self) {
        match &mut self.singleton {
            Some(singleton) => {
                if !singleton.tick() {
                    self.singleton = None;
                    let _ = hostcalls::set_tick_period(TICK);
                }
            }
            None => self.singleton = self.watch.look(&self.config.xds_cluster),
        }
    }

    pub(crate) fn request_headers(&mut self, context: u32, end_of_stream: bool) -> Action {
        let Some(vm) = &mut self.vm else { return fail_closed() };
        self.exchanges.begin(context).request_headers(vm, end_of_stream)
    }

    /// A part of a body has come, `size` bytes are held; `None` if Envoy does not say.
    pub(crate) fn request_body(
        &mut self,
        context: u32,
        size: Option<usize>,
        end_of_stream: bool,
    ) -> Action {
        match (&mut self.vm, self.exchanges.get_mut(context)) {
            (Some(vm), Some(exchange)) => exchange.request_body(vm, size, end_of_stream),
            // It was not let go, or it has come around the filter's own beginning.
            _ => fail_closed(),
        }
    }

    pub(crate) fn response_headers(&mut self, context: u32) {
        if let Some(exchange) = self.exchanges.get_mut(context) {
            exchange.response_headers();
        }
    }

    /// A request is over, or a plugin is gone.
    pub(crate) fn delete(&mut self, context: u32) {
        match (self.exchanges.remove(context), &mut self.vm) {
            (Some(exchange), Some(vm)) => exchange.over(vm),
            _ => self.plugins.retain(|plugin| *plugin != context),
        }
    }

    /// A message of the stream, or the answer to a report.
    pub(crate) fn received(&mut self, token: u32, size: usize) {
        if let Some(vm) = &mut self.vm {
            self.reporter.answered(vm, token, 0);
        }
        if let Some(singleton) = &mut self.singleton {
            singleton.received(token, size);
        }
    }

    /// The end of the stream, or of the call with a report.
    pub(crate) fn closed(&mut self, token: u32, status: u32) {
        if let Some(vm) = &mut self.vm {
            self.reporter.answered(vm, token, status);
        }
        if let Some(singleton) = &mut self.singleton {
            singleton.closed(token, status);
        }
    }
}

fn complain(what: &str) {
    let _ = hostcalls::log(LogLevel::Critical, &format!("tenantry: {what}"));
}
