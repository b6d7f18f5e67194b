use crate::memory::state::State;
use domain::user::{Credentials, User, UserFilter, UserPage};

pub(super) fn page(state: &State, filter: &UserFilter, page: &UserPage) -> Vec<Credentials> {
    let is_behind = |user: &User| {
        page.after
            .as_ref()
            .is_none_or(|after| user.login.canonical() > after)
    };
    let mut users: Vec<_> = state
        .users
        .values()
        .filter(|kept| is_behind(&kept.user) && filter.holds_for(&kept.user))
        .cloned()
        .collect();
    users.sort_by(|one, other| one.user.login.canonical().cmp(other.user.login.canonical()));
    users.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    users
}
