//! Lists, exports and imports users.

use super::tables::Tables;
use domain::{
    audit::AuditContext,
    changes::{ImportFacts, ImportUsers, Refusal},
    user::{Credentials, User, UserFilter, UserPage},
};

impl Tables {
    pub(super) fn page(&self, filter: &UserFilter, page: &UserPage) -> Vec<Credentials> {
        let is_behind = |user: &User| {
            page.after
                .as_ref()
                .is_none_or(|after| user.login.canonical() > after)
        };
        let mut users: Vec<_> = self
            .users
            .values()
            .filter(|kept| is_behind(&kept.user) && filter.holds_for(&kept.user))
            .cloned()
            .collect();
        users.sort_by(|one, other| one.user.login.canonical().cmp(other.user.login.canonical()));
        users.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        users
    }

    pub(super) fn import(
        &mut self,
        users: &ImportUsers,
        context: &AuditContext,
    ) -> Vec<Result<User, Refusal>> {
        let facts = ImportFacts {
            taken: self
                .users
                .values()
                .map(|kept| kept.user.login.canonical().clone())
                .collect(),
            known_roles: self.roles.keys().cloned().collect(),
        };
        let mut stored = Vec::new();
        for decision in users.decide(facts, context.at) {
            stored.push(decision.map(|new| self.insert_imported(new, context)));
        }
        stored
    }

    fn insert_imported(&mut self, new: Credentials, context: &AuditContext) -> User {
        let user = new.user.clone();
        self.log.append(&ImportUsers::event(&user), context);
        self.users.insert(user.id, new);
        user
    }
}
