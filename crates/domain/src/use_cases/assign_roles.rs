use crate::{
    audit::{AuditContext, Origin},
    authority::{Denied, Requester, RolesAssign},
    caller::NotAUser,
    changes::{self, ChangeError, Refusal, UserChange},
    ports::{Accounts, Clock, PortError, Throttle},
    role::{RoleName, RoleNames},
    steps::{self, UserRef},
    throttle::{Attempt, BudgetName, ThrottleDecision},
    user::{User, UserId, UserRevision},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Replaces a user's roles. When [`execute`](Self::execute) returns, access tokens issued earlier
/// are rejected by every replica.
pub struct AssignRoles {
    pub(crate) accounts: Arc<dyn Accounts>,
    /// Limits the changes that callers make to their own roles; `None` for the operator.
    pub(crate) throttle: Option<Arc<dyn Throttle>>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The user whose roles are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignee {
    Caller,
    User(UserRef),
}

/// A request to replace a user's roles.
#[derive(Clone, Debug)]
pub struct AssignRolesRequest {
    pub assignee: Assignee,
    /// The names of the roles as entered, not yet validated.
    pub new_roles: Vec<String>,
    pub keep_sessions: bool,
    /// If set, change the user only if they are this one, at this revision.
    pub if_revision: Option<UserRevision>,
    /// If true, return the outcome without changing anything.
    pub dry_run: bool,
}

/// The outcome of a change, or of a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignRolesOutcome {
    pub user: User,
    /// The number of live sessions that ended.
    pub sessions_ended: u64,
    /// Whether access tokens issued before became invalid. They stay valid if nothing changed.
    pub access_tokens_revoked: bool,
}

/// Why a user's roles were not replaced.
#[derive(Debug, Error)]
pub enum AssignRolesError {
    /// The text cannot be the name of a role.
    #[error("the role {0:?} does not exist")]
    UnknownRole(String),
    /// The caller changes their own roles too often.
    #[error("too many changes")]
    TooManyChanges {
        retry_after: Duration,
        budget: BudgetName,
    },
    /// A machine asks to change its own roles.
    #[error(transparent)]
    NotAUser(#[from] NotAUser),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<Refusal> for AssignRolesError {
    fn from(refusal: Refusal) -> Self {
        Self::Change(refusal.into())
    }
}

impl From<Denied> for AssignRolesError {
    fn from(denied: Denied) -> Self {
        Self::Change(denied.into())
    }
}

impl From<PortError> for AssignRolesError {
    fn from(error: PortError) -> Self {
        Self::Change(error.into())
    }
}

impl AssignRoles {
    /// Replaces the roles, or only returns the outcome if the request is a dry run.
    ///
    /// # Errors
    /// Returns an [`AssignRolesError`]. After a port error the change may have been made; after any
    /// other error it was not.
    pub async fn execute(
        &self,
        requester: Requester<'_>,
        request: AssignRolesRequest,
        origin: Origin,
    ) -> Result<AssignRolesOutcome, AssignRolesError> {
        let user = self.assignee(requester, &request.assignee).await?;
        let command = Arc::new(changes::AssignRoles {
            user,
            roles: parse(&request.new_roles)?,
            keep_sessions: request.keep_sessions,
            if_revision: request.if_revision.map(|it| it.required_of(user)),
            authorized_by: requester.identity(),
        });
        let context = AuditContext::new(self.clock.now(), requester.actor(), origin);
        let applied = if request.dry_run {
            self.accounts.dry_run(command, context).await?
        } else {
            self.take_own_change(requester, user).await?;
            self.accounts.execute(command, context).await?
        };
        Ok(AssignRolesOutcome {
            sessions_ended: applied.sessions_ended,
            access_tokens_revoked: matches!(applied.change.user, UserChange::Update { .. }),
            user: applied.into_user()?,
        })
    }

    /// Takes a change from the budget of the caller if the caller changes their own roles, so that
    /// they cannot fill the audit log, however often they log in.
    async fn take_own_change(&self, requester: Requester<'_>, user: UserId) -> Result<(), AssignRolesError> {
        let (Some(throttle), Requester::Caller(caller)) = (&self.throttle, requester) else {
            return Ok(());
        };
        if !caller.is(user) {
            return Ok(());
        }
        match throttle.take(&Attempt::ChangeOwnAccount { user }).await? {
            ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback => Ok(()),
            ThrottleDecision::Refused { retry_after, budget } => Err(AssignRolesError::TooManyChanges {
                retry_after,
                budget: budget.name(),
            }),
        }
    }

    /// Finds the assignee after checking the permission and the step-up, so that a caller without
    /// them does not learn which users exist.
    async fn assignee(
        &self,
        requester: Requester<'_>,
        assignee: &Assignee,
    ) -> Result<UserId, AssignRolesError> {
        match (assignee, requester) {
            (Assignee::Caller, Requester::Operator) => Err(Refusal::UserNotFound.into()),
            (Assignee::Caller, Requester::Caller(caller)) => {
                let own = caller.principal().user().ok_or(NotAUser)?;
                requester.require_step_up()?;
                Ok(own.id)
            }
            (Assignee::User(user), _) => {
                if let Some(own) = own_account(requester, user) {
                    requester.require_step_up()?;
                    return Ok(own);
                }
                requester.capability::<RolesAssign>()?;
                let user = steps::find(&*self.accounts, user).await?;
                Ok(user.ok_or(Refusal::UserNotFound)?.id)
            }
        }
    }
}

/// Returns the requester's own id if `user` refers to them.
fn own_account(requester: Requester<'_>, user: &UserRef) -> Option<UserId> {
    let Requester::Caller(caller) = requester else {
        return None;
    };
    let own = caller.principal().user()?;
    user.is(own).then_some(own.id)
}

fn parse(names: &[String]) -> Result<RoleNames, AssignRolesError> {
    let parse_one =
        |name: &String| RoleName::parse(name).map_err(|_| AssignRolesError::UnknownRole(name.clone()));
    names.iter().map(parse_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Actor,
        caller::Caller,
        changes::{
            Facts,
            fixtures::{facts_about, own_facts},
        },
        fixtures::{USER, caller, caller_with, credentials, now, origin, roles, snapshot_with, user},
        ports::{MockAccounts, MockThrottle},
        revision::Revision,
        role::{Permission, Permissions, built_in},
        session::EndReason,
        step_up::StepUp,
        throttle::BudgetKind,
        use_cases::fixtures::{accounts_with, clock, expect_change, expect_dry_run},
        user::Credentials,
    };
    use mockall::predicate::eq;
    use uuid::Uuid;

    fn assign(expect: impl FnOnce(&mut MockAccounts)) -> AssignRoles {
        let mut accounts = MockAccounts::new();
        expect(&mut accounts);
        over(accounts)
    }

    fn over(accounts: MockAccounts) -> AssignRoles {
        AssignRoles {
            accounts: Arc::new(accounts),
            throttle: None,
            clock: clock(),
        }
    }

    /// Assigns roles for callers who have no change left.
    fn exhausted(accounts: MockAccounts) -> AssignRoles {
        let mut throttle = MockThrottle::new();
        throttle
            .expect_take()
            .with(eq(Attempt::ChangeOwnAccount { user: USER }))
            .returning(|_| {
                Ok(ThrottleDecision::Refused {
                    retry_after: Duration::from_mins(1),
                    budget: BudgetKind::Changes,
                })
            });
        AssignRoles {
            throttle: Some(Arc::new(throttle)),
            ..over(accounts)
        }
    }

    fn request(login: Option<&str>, new_roles: &[&str]) -> AssignRolesRequest {
        AssignRolesRequest {
            assignee: login.map_or(Assignee::Caller, |login| {
                Assignee::User(UserRef::Login(login.to_owned()))
            }),
            new_roles: new_roles.iter().map(|&name| name.to_owned()).collect(),
            keep_sessions: false,
            if_revision: None,
            dry_run: false,
        }
    }

    fn assigner_permissions() -> Permissions {
        let mut permissions = Permissions::from([Permission::ROLES_ASSIGN]);
        permissions.extend(editor().permissions);
        permissions.extend(Permission::to_assign(&editor().name));
        permissions
    }

    /// A caller who may assign roles, `editor` among them.
    fn assigner() -> Caller {
        caller_with(assigner_permissions())
    }

    fn editor() -> crate::role::Role {
        crate::changes::fixtures::role("editor", &["posts:write"])
    }

    fn another() -> Credentials {
        let mut another = credentials();
        another.user.id = UserId(Uuid::from_u128(77));
        another
    }

    /// Facts about [`another`], loaded for the token of [`assigner`].
    fn facts_about_another() -> Facts {
        Facts {
            caller: Some(snapshot_with(assigner_permissions())),
            ..facts_about(another().user)
        }
    }

    #[tokio::test]
    async fn dropping_own_roles_needs_no_permission_but_a_token_that_is_still_valid() {
        let assign = assign(|accounts| {
            expect_change(accounts, own_facts(Permissions::new()), |executed| {
                assert_eq!(executed.reads.account, Some(USER));
                assert_eq!(executed.reads.roles, roles(&[]));
                assert_eq!(executed.reads.caller, Some(caller().identity()));
                assert_eq!(executed.context.actor, Actor::User(USER));
                assert_eq!(executed.context.at, now());
                assert_eq!(executed.context.origin, origin());
            });
        });
        let outcome = assign
            .execute(Requester::Caller(&caller()), request(None, &[]), origin())
            .await
            .expect("the rules allow the change");
        assert!(outcome.access_tokens_revoked);
        assert_eq!((outcome.user.roles, outcome.sessions_ended), (roles(&[]), 3));
    }

    #[tokio::test]
    async fn only_changes_of_the_callers_own_roles_are_limited() {
        let own = exhausted(MockAccounts::new());
        let refused = own
            .execute(Requester::Caller(&caller()), request(None, &[]), origin())
            .await;
        assert!(matches!(
            refused,
            Err(AssignRolesError::TooManyChanges {
                retry_after,
                budget: BudgetName::Account,
            }) if retry_after == Duration::from_mins(1)
        ));

        let mut accounts = MockAccounts::new();
        expect_dry_run(&mut accounts, own_facts(Permissions::new()), |_| {});
        let dry_run = AssignRolesRequest {
            dry_run: true,
            ..request(None, &[])
        };
        let dry = exhausted(accounts)
            .execute(Requester::Caller(&caller()), dry_run, origin())
            .await;
        assert!(dry.is_ok(), "{dry:?}");

        let mut accounts = accounts_with(facts_about(another().user));
        accounts.expect_find_by_login().returning(|_| Ok(Some(another())));
        let others = exhausted(accounts)
            .execute(Requester::Operator, request(Some("bob"), &["admin"]), origin())
            .await;
        assert!(others.is_ok(), "{others:?}");
    }

    #[tokio::test]
    async fn tokens_stay_valid_if_the_roles_and_the_sessions_stay_the_same() {
        let assign = assign(|accounts| {
            expect_dry_run(accounts, own_facts(Permissions::new()), |_| {});
        });
        let request = AssignRolesRequest {
            dry_run: true,
            keep_sessions: true,
            ..request(None, &["user"])
        };
        let outcome = assign
            .execute(Requester::Caller(&caller()), request, origin())
            .await
            .expect("the rules allow the change");
        assert!(!outcome.access_tokens_revoked);
        assert_eq!(outcome.user.roles, roles(&["user"]));
    }

    #[tokio::test]
    async fn the_callers_login_and_id_refer_to_the_caller_in_any_spelling() {
        for user in [UserRef::Login("ALICE".to_owned()), UserRef::Id(USER)] {
            let assign = assign(|accounts| {
                accounts.expect_find().never();
                accounts.expect_find_by_login().never();
                expect_change(accounts, own_facts(Permissions::new()), |executed| {
                    assert_eq!(executed.reads.account, Some(USER));
                });
            });
            let request = AssignRolesRequest {
                assignee: Assignee::User(user),
                ..request(None, &[])
            };
            assert!(
                assign
                    .execute(Requester::Caller(&caller()), request, origin())
                    .await
                    .is_ok()
            );
        }
    }

    #[tokio::test]
    async fn the_permission_to_assign_roles_is_checked_before_any_read() {
        let assign = assign(|accounts| {
            accounts.expect_find_by_login().never();
            accounts.expect_execute().never();
        });
        let refused = assign
            .execute(
                Requester::Caller(&caller()),
                request(Some("bob"), &["unheard-of"]),
                origin(),
            )
            .await;
        assert!(matches!(
            refused,
            Err(AssignRolesError::Change(ChangeError::Refused(Refusal::Denied(
                Denied::Forbidden(_)
            ))))
        ));
    }

    #[tokio::test]
    async fn a_recent_check_of_the_password_is_required_before_any_read_even_for_own_roles() {
        let max_age = StepUp::DEFAULT_MAX_AGE;
        let required = StepUp::Required { max_age };
        for (dry_run, user) in [
            (false, None),
            (true, None),
            (false, Some(UserRef::Id(USER))),
            (false, Some(UserRef::Login("alice".to_owned()))),
            (false, Some(UserRef::Login("bob".to_owned()))),
            (true, Some(UserRef::Id(another().user.id))),
        ] {
            let request = AssignRolesRequest {
                assignee: user.map_or(Assignee::Caller, Assignee::User),
                dry_run,
                ..request(None, &[])
            };
            let caller = assigner().with_step_up(required);
            let refused = over(MockAccounts::new())
                .execute(Requester::Caller(&caller), request.clone(), origin())
                .await;
            assert!(
                matches!(
                    refused,
                    Err(AssignRolesError::Change(ChangeError::Refused(Refusal::Denied(
                        Denied::StepUpRequired { max_age: stated }
                    )))) if stated == max_age
                ),
                "{request:?}: {refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_caller_with_the_permission_assigns_a_role_to_another_user() {
        let assign = assign(|accounts| {
            accounts
                .expect_find_by_login()
                .once()
                .returning(|_| Ok(Some(another())));
            expect_change(accounts, facts_about_another(), |executed| {
                assert_eq!(executed.reads.account, Some(another().user.id));
                assert_eq!(executed.reads.roles, roles(&["editor", "user"]));
                assert_eq!(executed.reads.caller, Some(assigner().identity()));
            });
        });
        // A role that is named twice is assigned once.
        let request = request(Some("bob"), &["user", "editor", "user"]);
        let outcome = assign
            .execute(Requester::Caller(&assigner()), request, origin())
            .await
            .expect("the rules allow the change");
        assert_eq!(outcome.user.roles, roles(&["editor", "user"]));
    }

    #[tokio::test]
    async fn the_operator_assigns_roles_without_a_token() {
        let assign = assign(|accounts| {
            accounts
                .expect_find_by_login()
                .once()
                .returning(|_| Ok(Some(another())));
            expect_change(accounts, facts_about(another().user), |executed| {
                assert_eq!(executed.reads.caller, None);
                assert_eq!(executed.context.actor, Actor::Operator);
            });
        });
        assert!(
            assign
                .execute(Requester::Operator, request(Some("bob"), &["admin"]), origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn the_operator_has_no_roles() {
        let assign = assign(|accounts| {
            accounts.expect_execute().never();
        });
        let refused = assign
            .execute(Requester::Operator, request(None, &["user"]), origin())
            .await;
        assert!(matches!(
            refused,
            Err(AssignRolesError::Change(ChangeError::Refused(
                Refusal::UserNotFound
            )))
        ));
    }

    #[tokio::test]
    async fn sessions_and_revision_of_the_request_are_passed_on() {
        let at = |user, revision| {
            let revision = Revision(revision);
            Some(UserRevision { user, revision })
        };
        for (keep_sessions, if_revision, refused) in [
            (true, None, false),
            (false, at(USER, 7), false),
            (false, at(USER, 8), true),
            // The revision of a user who had this login before.
            (false, at(UserId(Uuid::nil()), 7), true),
        ] {
            let assign = assign(|accounts| {
                expect_change(accounts, own_facts(Permissions::new()), move |executed| {
                    if let Ok(change) = executed.decided {
                        let reason = change.end_sessions.map(|(_, reason)| reason);
                        assert_eq!(reason, (!keep_sessions).then_some(EndReason::RolesChanged));
                    }
                });
            });
            let request = AssignRolesRequest {
                keep_sessions,
                if_revision,
                ..request(None, &[])
            };
            let outcome = assign
                .execute(Requester::Caller(&caller()), request, origin())
                .await;
            assert_eq!(outcome.is_err(), refused);
        }
    }

    #[tokio::test]
    async fn a_dry_run_reports_the_outcome_and_executes_nothing() {
        let assign = assign(|accounts| {
            accounts.expect_execute().never();
            expect_dry_run(accounts, own_facts(Permissions::new()), |_| {});
        });
        let request = AssignRolesRequest {
            dry_run: true,
            ..request(None, &[])
        };
        let outcome = assign
            .execute(Requester::Caller(&caller()), request, origin())
            .await
            .expect("the rules allow the change");
        assert_eq!((outcome.user.roles, outcome.sessions_ended), (roles(&[]), 3));
    }

    #[tokio::test]
    async fn an_invalid_role_name_is_reported() {
        for name in ["Not A Name", ""] {
            let assign = assign(|accounts| {
                accounts.expect_execute().never();
            });
            let refused = assign
                .execute(
                    Requester::Caller(&caller()),
                    request(None, &["user", name]),
                    origin(),
                )
                .await;
            assert!(matches!(refused, Err(AssignRolesError::UnknownRole(unknown)) if unknown == name));
        }
    }

    #[tokio::test]
    async fn a_refusal_of_the_decision_reaches_the_caller() {
        let last_admin = || {
            let mut facts = own_facts(Permissions::new());
            facts
                .target
                .as_mut()
                .expect("the facts contain the target")
                .user
                .roles = roles(&["admin"]);
            facts
        };
        for (facts, new_roles, expected) in [
            (
                last_admin(),
                &[][..],
                "the last active admin must keep the role admin and cannot be disabled or deleted",
            ),
            (facts_about(user()), &[], "the caller's token is outdated"),
            (
                own_facts(Permissions::new()),
                &["admin"],
                "the caller may not assign the role admin",
            ),
            (
                Facts {
                    roles: built_in().into(),
                    ..own_facts(Permissions::new())
                },
                &["unheard-of"],
                "the role \"unheard-of\" does not exist",
            ),
            (Facts::default(), &[], "the user does not exist"),
        ] {
            let refused = over(accounts_with(facts))
                .execute(Requester::Caller(&caller()), request(None, new_roles), origin())
                .await
                .expect_err("the request is refused");
            assert_eq!(refused.to_string(), expected);
        }
    }

    #[tokio::test]
    async fn an_unknown_login_is_reported_to_a_caller_with_the_permission() {
        for login in ["unknown", "no login"] {
            let assign = assign(|accounts| {
                accounts.expect_find_by_login().returning(|_| Ok(None));
            });
            let refused = assign
                .execute(
                    Requester::Caller(&assigner()),
                    request(Some(login), &[]),
                    origin(),
                )
                .await;
            assert!(matches!(
                refused,
                Err(AssignRolesError::Change(ChangeError::Refused(
                    Refusal::UserNotFound
                )))
            ));
        }
    }
}
