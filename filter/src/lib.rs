//! The proxy-wasm filter of Tenantry: the adapter between Envoy's ABI and the pure core, `policy`.
//!
//! One module, two roles, told apart by the plugin's configuration: in the HTTP filter chain it decides about requests
//! ([`http`]); as the singleton of a bootstrap extension it mirrors the control plane's state into shared data ([`mirror`]).
//!
//! Architecture invariant: no decision is taken here. What Envoy gives is handed to `policy`, what `policy` answers is
//! carried out, and every error ends in [`http::fail_closed`].

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod config;
mod http;
mod mirror;
mod shared;

use std::{cell::RefCell, rc::Rc};

use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{ContextType, LogLevel},
};

use crate::{
    config::{Config, Role},
    http::Exchange,
    mirror::Singleton,
    shared::Sites,
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
    /// Present in the singleton.
    singleton: Option<Singleton>,
    /// The sites that this VM has decoded.
    sites: Rc<RefCell<Sites>>,
}

impl RootContext for Root {
    /// Refuses a configuration that it cannot read: Envoy then does not serve with this plugin.
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = if size == 0 { None } else { self.get_plugin_configuration() };
        match Config::parse(bytes.as_deref().unwrap_or_default()) {
            Ok(Config { role: Role::Filter, .. }) => true,
            Ok(Config { role: Role::Mirror, xds_cluster }) => {
                self.singleton = Some(Singleton::start(xds_cluster));
                true
            }
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
        if let Some(singleton) = &mut self.singleton {
            singleton.connect();
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange::new(Rc::clone(&self.sites))))
    }

    fn get_type(&self) -> Option<ContextType> {
        self.singleton.is_none().then_some(ContextType::HttpContext)
    }
}

impl Context for Root {
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
