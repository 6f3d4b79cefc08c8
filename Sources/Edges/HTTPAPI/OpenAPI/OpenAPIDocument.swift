internal import MeteringPorts
internal import NIOHTTP1

/// The OpenAPI 3.1 document, made from the route table and the schemas.
enum OpenAPIDocument {
    static func json(_ routes: [Route], version: String) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("\"openapi\":", "3.1.0")
            writer.name("\"info\":")
            writer.object { writer in
                writer.member("\"title\":", "Tollgate")
                writer.member("\"version\":", version)
                writer.name("\"description\":")
                writer.value(
                    "Usage metering and quota enforcement. Quantities are JSON integers, or decimal "
                        + "strings where the meter keeps decimal places. Errors are RFC 9457 "
                        + "problem documents.")
            }
            writer.name("\"security\":")
            writer.array { writer in
                writer.object {
                    $0.name("\"key\":"); $0.array { _ in }
                }
                writer.object { _ in }
            }
            writer.name("\"paths\":")
            writer.object { writer in paths(routes, to: &writer) }
            writer.name("\"components\":")
            writer.object { writer in
                writer.name("\"securitySchemes\":")
                writer.raw(#"{"key":{"type":"http","scheme":"bearer"}}"#.utf8)
                writer.name("\"schemas\":")
                writer.raw(OpenAPISchemas.all.utf8)
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func paths(_ routes: [Route], to writer: inout JSONWriter) {
        var patterns: [String] = []
        for route in routes where !patterns.contains(route.pattern) {
            patterns.append(route.pattern)
        }
        for pattern in patterns {
            writer.name(text: pattern)
            writer.object { writer in
                for route in routes where route.pattern == pattern {
                    writer.name(text: route.method.rawValue.lowercased())
                    write(route, to: &writer)
                }
            }
        }
    }

    private static func write(_ route: Route, to writer: inout JSONWriter) {
        let operation = route.operation
        writer.object { writer in
            writer.name("\"operationId\":")
            writer.value(operation.id)
            writer.member("\"summary\":", operation.summary)
            if let scope = route.scope {
                writer.member("\"description\":", "Needs the scope \(scope.rawValue).")
                writer.member("\"x-required-scope\":", scope.rawValue)
            }
            writer.name("\"parameters\":")
            writer.array { writer in
                for name in route.parameterNames {
                    write(
                        .init(
                            name: name, place: .path, text: "Percent-encoded.", isRequired: true),
                        to: &writer)
                }
                for parameter in operation.parameters { write(parameter, to: &writer) }
            }
            if !operation.request.isEmpty {
                writer.name("\"requestBody\":")
                writer.object { writer in
                    writer.member("\"required\":", operation.isRequestRequired)
                    writer.name("\"content\":")
                    writer.object { writer in
                        for (type, schema) in operation.request {
                            body(type, schema, isPartial: route.method == .PATCH, to: &writer)
                        }
                    }
                }
            }
            writer.name("\"responses\":")
            writer.object { writer in responses(route, to: &writer) }
        }
    }

    private static func write(
        _ parameter: Operation.Parameter, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("\"name\":", parameter.name)
            writer.member("\"in\":", parameter.place.rawValue)
            writer.member("\"description\":", parameter.text)
            writer.member("\"required\":", parameter.isRequired)
            writer.name("\"schema\":")
            writer.object { writer in
                writer.member("\"type\":", parameter.type)
                if !parameter.values.isEmpty {
                    writer.member("\"enum\":", parameter.values)
                }
            }
        }
    }

    private static func responses(_ route: Route, to writer: inout JSONWriter) {
        let operation = route.operation
        for status in [operation.success.status] + (operation.mayCreate ? [201] : []) {
            writer.name(text: String(status))
            writer.object { writer in
                writer.member("\"description\":", "All is well.")
                writer.name("\"content\":")
                writer.object { writer in
                    content(operation.successType, operation.success.schema, to: &writer)
                }
            }
        }
        let guarded = (route.scope == nil ? [] : [401, 403]) + (route.rate == .none ? [] : [429])
        for status in Set(operation.problems + guarded).sorted() {
            writer.name(text: String(status))
            writer.object { writer in
                writer.member("\"description\":", meaning(of: status))
                writer.name("\"content\":")
                writer.object { writer in
                    content("application/problem+json", "Problem", to: &writer)
                }
            }
        }
    }

    /// A request's content: what must be there, and what it may look like.
    private static func body(
        _ type: String, _ schema: String, isPartial: Bool, to writer: inout JSONWriter
    ) {
        guard let body = OpenAPIExamples.bodies[schema] else {
            return content(type, schema, to: &writer)
        }
        writer.name(text: type)
        writer.object { writer in
            writer.name("\"schema\":")
            let reference = "{\"$ref\":\"#/components/schemas/\(schema)\"}"
            if body.required.isEmpty || isPartial {
                writer.raw(reference.utf8)
            } else {
                let names = body.required.map { "\"\($0)\"" }.joined(separator: ",")
                writer.raw("{\"allOf\":[\(reference),{\"required\":[\(names)]}]}".utf8)
            }
            writer.name("\"example\":")
            writer.raw(body.example.utf8)
        }
    }

    private static func content(_ type: String, _ schema: String, to writer: inout JSONWriter) {
        writer.name(text: type)
        writer.object { writer in
            writer.name("\"schema\":")
            writer.object { writer in
                writer.name("\"$ref\":")
                writer.value("#/components/schemas/" + schema)
            }
        }
    }

    private static func meaning(of status: Int) -> String {
        switch status {
        case 400: "The request cannot be understood; field and detail say what to change."
        case 401: "A key is needed, or the one given is unknown."
        case 403: "The key may not do this."
        case 404: "There is no such thing."
        case 409: "It was done before, in another way; or it does not go together with what is."
        case 412: "It has changed since the entity tag was given."
        case 413: "Too large; send it in parts."
        case 415: "This media type is not taken."
        case 422: "The document has errors; nothing was changed."
        case 429: "Too many requests; or denied, where a status was asked for."
        default: "Not possible now; Retry-After says when to try again."
        }
    }
}
