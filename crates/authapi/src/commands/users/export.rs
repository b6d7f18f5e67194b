use super::{super::output::Stream, PAGE};
use crate::{
    Failure,
    cli::{ExportUsers, Format},
    operator::Operator,
    progress::Progress,
    user_file::UserWriter,
};
use domain::user::UserPage;

/// Writes all users to standard output; holds one page in memory at a time.
pub async fn run(operator: &Operator, request: &ExportUsers) -> Result<(), Failure> {
    let failed = "the users cannot be exported";
    let mut stream = Stream::new();
    let mut progress = Progress::new("users", None);
    let with_hashes = request.with_password_hashes;
    let writer = match request.format {
        Format::Jsonl => UserWriter::Jsonl { with_hashes },
        Format::Csv => UserWriter::Csv { with_hashes },
    };
    stream.bytes(writer.head().as_bytes())?;
    let (mut count, mut after) = (0, None);
    while stream.is_read() {
        let page = UserPage { after, limit: PAGE };
        let users = operator.users.export(page).await;
        let users = users.map_err(|error| Failure::because(failed, error))?;
        let Some(last) = users.last() else {
            break;
        };
        after = Some(last.user.login.canonical().clone());
        let bytes = writer.write(&users);
        stream.bytes(&bytes.map_err(|error| Failure::because(failed, error))?)?;
        count += users.len() as u64;
        progress.update(count, count);
    }
    stream.flush()
}
