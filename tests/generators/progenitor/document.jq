# The part of the OpenAPI 3.0 document that progenitor supports: one type of response body for all
# successes of an operation, and one for its errors. It counts `default` as both.
del(.paths[][].responses?.default)
| .paths["/roles/{name}"].put.responses |= (.["201"] = .["200"])
# Deleting a role returns a body for a dry run only, and the readiness check has errors of its own.
| del(.paths["/roles/{name}"].delete, .paths["/health/ready"].get)
