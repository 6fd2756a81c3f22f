//! The proxy-wasm filter of Tenantry: the adapter between Envoy's ABI and the pure core, `policy`.
//!
//! One module, two roles, told apart by the plugin's configuration: in the HTTP filter chain it decides about requests
//! ([`http`]), and reports what it has let through ([`report`]); as the singleton of a bootstrap extension it mirrors the
//! control plane's state into shared data ([`mirror`]).
//!
//! Architecture invariant: no decision is taken here. What Envoy gives is handed to `policy`, what `policy` answers is
//! carried out, and every error ends in [`http::fail_closed`].

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod abi;
mod body;
mod config;
#[cfg(feature = "fault-injection")]
mod fault;
mod filter_state;
mod http;
mod metrics;
mod mirror;
mod pool;
mod pushed;
mod report;
mod shared;
mod vm;

use std::{cell::RefCell, rc::Rc};

use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{ContextType, LogLevel},
};

use crate::{
    config::{Config, Role},
    http::{Exchange, now_ms},
    mirror::{Singleton, TICK, Watch},
    report::Reporter,
    vm::Vm,
};

#[allow(unsafe_code, reason = "the macro exports the entry point that Envoy calls")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::new(super::Root::default()));
    }}
}

/// The root context of a VM: one for each plugin configuration.
#[derive(Default)]
struct Root {
    /// In a worker: what it decides by.
    vm: Option<Rc<RefCell<Vm>>>,
    /// The configuration, once it is read.
    config: Option<Config>,
    /// Present in the VM that is the mirror.
    singleton: Option<Singleton>,
    watch: Watch,
    reporter: Reporter,
}

impl Root {
    fn configure(&mut self, config: Config) -> Result<(), &'static str> {
        match config.role {
            Role::Filter => {
                filter_state::declare();
                let vm = Vm::new(config.clone()).ok_or("the host gives no random bytes")?;
                self.vm = Some(Rc::new(RefCell::new(vm)));
                let _ = hostcalls::set_tick_period(TICK);
            }
            Role::Mirror => self.singleton = Some(Singleton::start(config.xds_cluster.clone())),
        }
        self.config = Some(config);
        Ok(())
    }

    fn look_after_mirror(&mut self) {
        match &mut self.singleton {
            Some(singleton) => {
                if !singleton.tick() {
                    self.singleton = None;
                    let _ = hostcalls::set_tick_period(TICK);
                }
            }
            None => self.singleton = self.config.as_ref().and_then(|config| self.watch.look(&config.xds_cluster)),
        }
    }
}

impl RootContext for Root {
    /// Refuses a configuration that it cannot read: Envoy then does not serve with this plugin.
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = if size == 0 { None } else { self.get_plugin_configuration() };
        let config = Config::parse(bytes.as_deref().unwrap_or_default()).map_err(|error| error.to_string());
        match config.and_then(|config| self.configure(config).map_err(str::to_owned)) {
            Ok(()) => true,
            Err(error) => {
                let _ = hostcalls::log(
                    LogLevel::Critical,
                    &format!("tenantry: the plugin configuration is wrong: {error}"),
                );
                false
            }
        }
    }

    fn on_tick(&mut self) {
        self.look_after_mirror();
        if let Some(vm) = &self.vm
            && let Ok(mut vm) = vm.try_borrow_mut()
        {
            vm.tick(now_ms());
            self.reporter.tick(&mut vm);
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        self.vm.as_ref().map(|vm| Box::new(Exchange::new(Rc::clone(vm))) as Box<dyn HttpContext>)
    }

    fn get_type(&self) -> Option<ContextType> {
        self.vm.is_some().then_some(ContextType::HttpContext)
    }
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, _size: usize) {
        if let Some(vm) = &self.vm
            && let Ok(mut vm) = vm.try_borrow_mut()
        {
            self.reporter.answered(&mut vm, token, status);
        }
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        if let Some(singleton) = &mut self.singleton {
            singleton.received(token, size);
        }
    }

    fn on_grpc_stream_close(&mut self, token: u32, status: u32) {
        if let Some(singleton) = &mut self.singleton {
            singleton.closed(token, status);
        }
    }
}
