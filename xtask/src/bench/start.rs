//! The start of the parts that a bench does not measure from their first moment.

use anyhow::Result;
use stack::Stack;

/// Starts xds-server and the Envoys, and returns when they serve.
pub(super) async fn everything_else(stack: &mut Stack) -> Result<()> {
    stack.xds.launch()?;
    for envoy in &mut stack.envoys {
        envoy.service.launch()?;
    }
    stack.xds.wait_ready().await?;
    for envoy in &stack.envoys {
        envoy.service.wait_ready().await?;
    }
    Ok(())
}
