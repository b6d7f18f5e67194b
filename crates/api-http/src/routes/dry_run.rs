use crate::etag::EntityTag;
use actix_web::HttpResponse;
use domain::{use_cases::AssignRolesOutcome, user::User};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{Object, RefOr, Schema, schema::Type},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Validate the request and return what would change, without changing anything.
    #[serde(default)]
    #[param(default = false, required = false)]
    pub dry_run: bool,
}

/// The constant `true`, by which clients recognise the result of a dry run.
pub struct DryRunMark;

impl Serialize for DryRunMark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl PartialSchema for DryRunMark {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::Boolean)
            .enum_values(Some([true]))
            .description(Some("Always true."))
            .into()
    }
}

impl ToSchema for DryRunMark {}

/// The result of a dry run of a change of roles.
#[derive(Serialize, ToSchema)]
pub struct RolesDryRun<U> {
    #[schema(inline)]
    dry_run: DryRunMark,
    /// The user after the change.
    user: U,
    /// Number of live sessions that would end.
    sessions_ended: u64,
    /// Whether all existing access tokens would become invalid.
    access_tokens_revoked: bool,
}

/// The user after the change; for a dry run, what would change.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum RolesOutcome<U> {
    Changed(U),
    DryRun(RolesDryRun<U>),
}

/// The 200 response with the outcome, and the user's `ETag` if they were changed.
pub fn roles_outcome<U: From<User> + Serialize>(assigned: AssignRolesOutcome, dry_run: bool) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if !dry_run {
        response.insert_header(EntityTag::of_user(&assigned.user).header());
    }
    response.json(RolesOutcome::<U>::new(assigned, dry_run))
}

impl<U: From<User>> RolesOutcome<U> {
    fn new(assigned: AssignRolesOutcome, dry_run: bool) -> Self {
        let AssignRolesOutcome { user, sessions_ended } = assigned;
        if !dry_run {
            return Self::Changed(user.into());
        }
        Self::DryRun(RolesDryRun {
            dry_run: DryRunMark,
            user: user.into(),
            sessions_ended,
            // Every change of roles increments the epoch, even if sessions are kept.
            access_tokens_revoked: true,
        })
    }
}
