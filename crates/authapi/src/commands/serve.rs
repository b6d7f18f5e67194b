use crate::{Failure, app::Application, settings::Settings, shutdown::StopSignals};

/// Runs the service until SIGTERM or Ctrl-C.
pub async fn run(settings: Settings) -> Result<(), Failure> {
    let signals = StopSignals::listen()?;
    let application = Application::build(settings).await?;
    application.run(signals.wait()).await
}
