use crate::{
    audit::Witnesses,
    ports::{AuditCheckpoints, KeptCheckpoint, PortError},
};

/// Reads the checkpoint in the key folder and the newest stored one. Reads the stored one last: a
/// server stores a checkpoint before it keeps it.
pub async fn newest_witnesses(
    checkpoints: &dyn AuditCheckpoints,
    kept: &dyn KeptCheckpoint,
) -> Result<Witnesses, PortError> {
    let kept = kept.load().await?;
    Ok(Witnesses {
        kept,
        stored: checkpoints.newest().await?.into_iter().collect(),
        ..Witnesses::default()
    })
}
