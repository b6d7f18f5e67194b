use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    caller::SessionView,
    ports::{PortError, SessionViews},
    session::SessionId,
};

#[async_trait]
impl SessionViews for MemoryStorage {
    async fn view(&self, session: SessionId) -> Result<Option<SessionView>, PortError> {
        Ok(self.transaction()?.view(session))
    }
}
