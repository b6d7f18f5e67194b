//! The problems that several operations have, as components of the document.

use super::{headers, operations, problems};
use crate::problem::documented::{
    BodyRefused, CookieOriginOrMachineRefused, CookieOriginRefused, IfMatchRefused, LastAdmin, NoSuchRole,
    NoSuchUser, OwnAccountRefused, PasswordChangeRequired, PasswordWrong, StepUpRefused, TokenRefused,
    TooManyAttempts, Unavailable, UndeclaredRefused, UnknownRole, UsersReadRefused, UsersWriteRefused,
};
use std::{collections::BTreeMap, mem};
use utoipa::{
    IntoResponses,
    openapi::{OpenApi, Ref, RefOr, Response},
};

/// Responses by their statuses.
type Responses = BTreeMap<String, RefOr<Response>>;

/// Moves the problems that operations share to the components, and refers to them there.
pub fn share(document: &mut OpenApi) {
    let shared = shared();
    let mut components = BTreeMap::new();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        for response in operation.responses.responses.values_mut() {
            if let Some((name, _)) = shared.iter().find(|(_, problem)| problem == response) {
                let reference = RefOr::Ref(Ref::from_response_name(name));
                components.insert(name.clone(), mem::replace(response, reference));
            }
        }
    }
    document.components.get_or_insert_default().responses = components;
}

/// Returns the problems that operations share, by name. Of two that are equal, the first counts.
fn shared() -> Vec<(String, RefOr<Response>)> {
    let without_body = [
        (
            "CookieOriginOrMachineRefused",
            CookieOriginOrMachineRefused::responses(),
        ),
        ("CookieOriginRefused", CookieOriginRefused::responses()),
        ("IfMatchRefused", IfMatchRefused::responses()),
        ("LastAdmin", LastAdmin::responses()),
        ("NoSuchRole", NoSuchRole::responses()),
        ("NoSuchUser", NoSuchUser::responses()),
        ("OtherProblem", problems::other()),
        ("OwnAccountRefused", OwnAccountRefused::responses()),
        ("PasswordChangeRequired", PasswordChangeRequired::responses()),
        ("PasswordWrong", PasswordWrong::responses()),
        ("StepUpRefused", StepUpRefused::responses()),
        ("TokenRefused", TokenRefused::responses()),
        ("TooManyAttempts", TooManyAttempts::responses()),
        ("Unavailable", Unavailable::responses()),
        ("UndeclaredRefused", UndeclaredRefused::responses()),
        ("UsersReadRefused", UsersReadRefused::responses()),
        ("UsersWriteRefused", UsersWriteRefused::responses()),
    ];
    let with_body = [
        ("BodyRefused", BodyRefused::responses()),
        ("BodyOrIfMatchRefused", IfMatchRefused::responses()),
        ("UnknownRole", UnknownRole::responses()),
    ];
    let without_body = without_body.map(|(name, responses)| complete(name, responses, false));
    let with_body = with_body.map(|(name, responses)| complete(name, responses, true));
    without_body.into_iter().chain(with_body).flatten().collect()
}

/// Returns the responses as they are in an operation, with or without a body. If there are several,
/// their names end with their statuses.
fn complete(name: &str, responses: Responses, has_body: bool) -> Vec<(String, RefOr<Response>)> {
    let has_several = responses.len() > 1;
    let completed = responses.into_iter().map(|(status, mut response)| {
        if let RefOr::T(response) = &mut response {
            problems::add_examples(response, has_body);
            headers::complete_response(&status, response);
        }
        let suffix = if has_several { status.as_str() } else { "" };
        (format!("{name}{suffix}"), response)
    });
    completed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::typed;
    use std::collections::BTreeSet;

    #[test]
    fn no_problem_is_repeated() {
        let mut document = typed();
        share(&mut document);
        let mut found = BTreeSet::new();
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            for response in operation.responses.responses.values() {
                if let RefOr::T(response) = response
                    && response.content.contains_key(problems::MEDIA_TYPE)
                {
                    let json = serde_json::to_string(response).expect("the response is JSON");
                    assert!(found.insert(json), "repeated: {}", response.description);
                }
            }
        }
        assert!(!found.is_empty(), "problems of one operation remain in it");
    }
}
