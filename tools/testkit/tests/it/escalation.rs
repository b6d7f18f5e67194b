//! No sequence of calls leads to more rights: users who are no admins act together, with every use case that changes
//! somebody or something, and never come to do more than they could between them from the start.
//!
//! Storage crates run it over theirs too: what is above says how storage is made, and how often it is played.

use super::{ESCALATIONS, fresh};
use domain::{
    audit::Origin,
    authority::Requester,
    caller::Caller,
    password::{Password, PasswordPolicy},
    ports::{Clock, PutRole},
    revision::Precondition,
    role::{Permission, Permissions, RoleName},
    use_cases::{
        AcceptPassword, AssignRoles, AssignRolesRequest, Assignee, ChangeRequest, DeleteRole, DeleteUser,
        ResetPassword, RoleRemoval, RoleRequest, SetStatus, UserRef, UserSessions, WriteRole,
    },
    user::{NewUser, User, UserId, UserStatus},
};
use proptest::{collection::vec, prelude::*};
use std::{collections::BTreeMap, sync::Arc};
use testkit::{
    FixedClock, PlainHasher, PlainMeter, Storage,
    fixtures::{PASSWORD, a_role, a_session, a_user, an_admin, at, context, identity},
};

/// This service's own, and three of services behind it.
const PERMISSIONS: [&str; 9] = [
    "users:read",
    "users:write",
    "roles:assign",
    "roles:write",
    "sessions:revoke",
    "audit:read",
    "a:x",
    "b:x",
    "c:x",
];

/// The first five are made anew for each run.
const ROLES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "user", "admin"];

/// Which of a list are meant, one bit each.
type Bits = u16;

fn chosen(list: &[&'static str], bits: Bits) -> Vec<&'static str> {
    let is_meant = |(place, _): &(usize, &&str)| bits >> place & 1 == 1;
    let meant = list.iter().enumerate().filter(is_meant);
    meant.map(|(_, name)| *name).collect()
}

/// Whoever or whatever `number` stands for.
fn counted_around<T: Copy>(list: &[T], number: usize) -> T {
    let mut around = list.iter().cycle();
    *around.nth(number).expect("a list that is not empty")
}

/// Permissions and whether everybody may take the role; the roles of the colluders and of the others.
#[derive(Clone, Debug)]
struct Start {
    roles: Vec<(Bits, bool)>,
    colluders: Vec<Bits>,
    others: Vec<Bits>,
}

/// One call. Numbers stand for whoever and whatever is there, counted around.
#[derive(Clone, Copy, Debug)]
struct Step {
    deed: u8,
    by: usize,
    /// On the word of a token from before.
    with_an_old_token: bool,
    whom: usize,
    bits: Bits,
    flag: bool,
}

fn permissions() -> impl Strategy<Value = Bits> {
    prop_oneof![4 => 0..512_u16, 1 => Just(511_u16)]
}

fn start() -> impl Strategy<Value = Start> {
    let roles = vec((permissions(), proptest::bool::weighted(0.2)), 5);
    // No colluder is an admin, whose bit is the seventh.
    (roles, vec(0..64_u16, 1..4), vec(0..128_u16, 1..4)).prop_map(|(roles, colluders, others)| Start {
        roles,
        colluders,
        others,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let who = (0..7_u8, 0..16_usize, any::<bool>(), 0..16_usize);
    (who, permissions(), any::<bool>()).prop_map(|((deed, by, with_an_old_token, whom), bits, flag)| Step {
        deed,
        by,
        with_an_old_token,
        whom,
        bits,
        flag,
    })
}

struct World {
    storage: Storage,
    clock: Arc<dyn Clock>,
    everybody: Vec<UserId>,
    /// The colluders, and whose password they have chosen.
    controlled: Vec<UserId>,
    tokens: BTreeMap<UserId, Caller>,
    /// What the colluders may come to do.
    bound: Permissions,
}

impl World {
    async fn new(storage: Storage, start: &Start) -> Self {
        let mut world = Self {
            storage,
            clock: Arc::new(FixedClock::new(at(10))),
            everybody: Vec::new(),
            controlled: Vec::new(),
            tokens: BTreeMap::new(),
            bound: Permissions::new(),
        };
        for (name, (bits, self_assignable)) in ROLES.into_iter().zip(&start.roles) {
            let role = PutRole {
                self_assignable: *self_assignable,
                ..a_role(name, &chosen(&PERMISSIONS, *bits))
            };
            if role.self_assignable {
                world.bound.extend(role.permissions.clone());
            }
            world
                .storage
                .roles
                .put(role, context(at(0)))
                .await
                .expect("an answer");
        }
        world.register(an_admin("root")).await;
        for (turn, bits) in start.others.iter().enumerate() {
            world.register(with_roles(&format!("other{turn}"), *bits)).await;
        }
        for (turn, bits) in start.colluders.iter().enumerate() {
            let colluder = world
                .register(with_roles(&format!("colluder{turn}"), *bits))
                .await;
            world.controlled.push(colluder.id);
            let allowed = world.permissions(&colluder).await;
            world.bound.extend(allowed);
        }
        world
    }

    async fn register(&mut self, new: NewUser) -> User {
        let user = new.registered_at(at(0));
        self.storage
            .users
            .insert(new, context(at(0)))
            .await
            .expect("an answer");
        self.everybody.push(user.id);
        user
    }

    async fn permissions(&self, user: &User) -> Permissions {
        let roles = self.storage.roles.find(&user.roles).await.expect("an answer");
        roles.into_iter().flat_map(|role| role.permissions).collect()
    }

    /// A controlled user with a token: one from before, or one of a login just now if that is possible.
    async fn caller(&mut self, step: Step) -> Option<Caller> {
        let id = counted_around(&self.controlled, step.by);
        if !step.with_an_old_token {
            let user = self.storage.users.find(id).await.expect("an answer")?;
            let session = a_session(id, at(1));
            let opened = self
                .storage
                .sessions
                .open(session.clone(), user.epoch, 9, context(at(1)));
            opened.await.expect("an answer");
            let snapshot = self
                .storage
                .snapshots
                .snapshot(session.id)
                .await
                .expect("an answer")?;
            let caller = Arc::new(snapshot)
                .validate(identity(&user, &session), at(2))
                .ok()?;
            self.tokens.insert(id, caller);
        }
        self.tokens.get(&id).cloned()
    }

    async fn take(&mut self, step: Step) {
        let Some(caller) = self.caller(step).await else {
            return;
        };
        let whom = counted_around(&self.everybody, step.whom);
        match step.deed {
            0 => self.assign(&caller, whom, step).await,
            1 => self.write_role(&caller, step).await,
            2 => self.delete_role(&caller, step).await,
            3 => self.reset(&caller, whom).await,
            _ => self.administer(&caller, whom, step).await,
        }
    }

    /// Refusals are the point: what counts is what holds afterwards.
    async fn assign(&self, caller: &Caller, whom: UserId, step: Step) {
        let request = AssignRolesRequest {
            whose: if step.flag {
                Assignee::Own
            } else {
                Assignee::Of(UserRef::Id(whom))
            },
            new_roles: chosen(&ROLES, step.bits)
                .into_iter()
                .map(ToOwned::to_owned)
                .collect(),
            keep_sessions: step.flag,
            if_revision: None,
            dry_run: false,
        };
        let assign = AssignRoles::new(self.storage.users.clone(), self.clock.clone());
        drop(
            assign
                .execute(Requester::Caller(caller), request, Origin::default())
                .await,
        );
    }

    async fn write_role(&self, caller: &Caller, step: Step) {
        let request = RoleRequest {
            name: counted_around(&ROLES, step.whom).to_owned(),
            description: String::new(),
            permissions: chosen(&PERMISSIONS, step.bits)
                .into_iter()
                .map(ToOwned::to_owned)
                .collect(),
            self_assignable: step.flag,
            precondition: Precondition::None,
            dry_run: false,
        };
        let write = WriteRole::new(self.storage.roles.clone(), self.clock.clone());
        if let Ok(by) = caller.capability() {
            drop(write.execute(by, request, Origin::default()).await);
        }
    }

    async fn delete_role(&self, caller: &Caller, step: Step) {
        let removal = RoleRemoval {
            name: counted_around(&ROLES, step.whom).to_owned(),
            if_revision: None,
            dry_run: false,
        };
        let default = [RoleName::USER].into();
        let delete = DeleteRole::new(self.storage.roles.clone(), self.clock.clone(), default);
        if let Ok(by) = caller.capability() {
            drop(delete.execute(by, removal, Origin::default()).await);
        }
    }

    /// Whoever chose a password has the account.
    async fn reset(&mut self, caller: &Caller, whom: UserId) {
        let accept = AcceptPassword::new(Arc::new(PlainMeter::default()), PasswordPolicy::default());
        let reset = ResetPassword::new(
            self.storage.users.clone(),
            Arc::new(accept),
            Arc::new(PlainHasher::default()),
            self.clock.clone(),
        );
        let Ok(by) = caller.capability() else {
            return;
        };
        let password = Password::new(PASSWORD.to_owned());
        if reset.execute(by, request(whom), password).await.is_ok() && !self.controlled.contains(&whom) {
            self.controlled.push(whom);
        }
    }

    async fn administer(&self, caller: &Caller, whom: UserId, step: Step) {
        let (users, clock) = (self.storage.users.clone(), self.clock.clone());
        let status = if step.flag {
            UserStatus::Active
        } else {
            UserStatus::Disabled
        };
        match (step.deed, caller.capability()) {
            (4, Ok(by)) => drop(
                SetStatus::new(users, clock)
                    .execute(by, request(whom), status)
                    .await,
            ),
            (5, Ok(by)) if step.flag => drop(DeleteUser::new(users, clock).execute(by, request(whom)).await),
            _ => {
                let others = UserSessions::new(users, self.storage.sessions.clone(), clock);
                if let Ok(by) = caller.capability() {
                    drop(others.end(by, &UserRef::Id(whom), Origin::default()).await);
                }
            }
        }
    }

    async fn assert_within_the_bound(&self, step: Step) {
        for id in &self.controlled {
            let Some(user) = self.storage.users.find(*id).await.expect("an answer") else {
                continue;
            };
            assert!(!user.roles.contains(&RoleName::ADMIN), "an admin by {step:?}");
            let more: Vec<Permission> = self
                .permissions(&user)
                .await
                .difference(&self.bound)
                .cloned()
                .collect();
            assert!(more.is_empty(), "{more:?} by {step:?}");
        }
    }
}

fn with_roles(login: &str, bits: Bits) -> NewUser {
    let names = chosen(&ROLES, bits);
    NewUser {
        roles: testkit::fixtures::role_names(&names),
        ..a_user(login)
    }
}

fn request(whom: UserId) -> ChangeRequest {
    ChangeRequest {
        whom: UserRef::Id(whom),
        if_revision: None,
        origin: Origin::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ESCALATIONS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_leads_to_more_rights(start in start(), steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (storage, _guard) = fresh().await;
            let mut world = World::new(storage, &start).await;
            for step in steps {
                world.take(step).await;
                world.assert_within_the_bound(step).await;
            }
        });
    }
}
