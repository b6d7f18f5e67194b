//! Who may call what.

/// A line for each route of the OpenAPI document: what is answered to a call that is right in every other way.
///
/// `none` sends no token, `user` has the role `user`; both call about somebody else's account where a route is about an
/// account, as do the six after `self`, who have one permission each and no other. `self` is a user who calls about
/// themselves, where the route can be called about others too. `off` is disabled, `reset` has a password that somebody
/// else chose.
pub const TABLE: &str = "
                                                none user self users:read users:write roles:assign roles:write sessions:revoke audit:read admin off reset

POST   /register                                 201  201    -        201         201          201         201             201        201   201 201   201
POST   /login                                    401  200    -        200         200          200         200             200        200   200 401   200
POST   /refresh                                  401  200    -        200         200          200         200             200        200   200 401   200
POST   /logout                                   401  204    -        204         204          204         204             204        204   204 401   204

GET    /me                                       401  200    -        200         200          200         200             200        200   200 401   403
DELETE /me                                       401  204    -        204         204          204         204             204        204   204 401   403
GET    /me/export                                401  200    -        200         200          200         200             200        200   200 401   403
PUT    /me/password                              401  200    -        200         200          200         200             200        200   200 401   200
GET    /me/sessions                              401  200    -        200         200          200         200             200        200   200 401   403
DELETE /me/sessions/{id}                         401  204    -        204         204          204         204             204        204   204 401   403

GET    /users                                    401  403    -        200         403          403         403             403        403   200 401   403
GET    /users/{id}                               401  403  403        200         403          403         403             403        403   200 401   403
PATCH  /users/{id}                               401  403  403        403         200          403         403             403        403   200 401   403
DELETE /users/{id}                               401  403  403        403         204          403         403             403        403   204 401   403
PUT    /users/{id}/password                      401  403  403        403         200          403         403             403        403   200 401   403
GET    /users/{id}/sessions                      401  403  403        403         403          403         403             200        403   200 401   403
DELETE /users/{id}/sessions                      401  403  403        403         403          403         403             200        403   200 401   403
PUT    /users/{id}/roles                         401  403  200        403         403          200         403             403        403   200 401   403
PUT    /roles/update                             401  403  200        403         403          200         403             403        403   200 401   403

GET    /roles                                    401  200    -        200         200          200         200             200        200   200 401   403
GET    /roles/{name}                             401  200    -        200         200          200         200             200        200   200 401   403
PUT    /roles/{name}                             401  403    -        403         403          403         200             403        403   200 401   403
DELETE /roles/{name}                             401  403    -        403         403          403         204             403        403   204 401   403
GET    /audit                                    401  403    -        403         403          403         403             403        200   200 401   403

GET    /health/live                              200  200    -        200         200          200         200             200        200   200 200   200
GET    /health/ready                             200  200    -        200         200          200         200             200        200   200 200   200
GET    /.well-known/jwks.json                    200  200    -        200         200          200         200             200        200   200 200   200
GET    /.well-known/oauth-authorization-server   200  200    -        200         200          200         200             200        200   200 200   200
";
