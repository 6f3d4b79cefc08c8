import Foundation
import NIOHTTP1
import Testing

@testable import HTTPAPI

/// The published document against the server that publishes it.
@Suite struct OpenAPITests {
    /// Real answers, by operation.
    private static let samples: [(method: String, target: String, body: String)] =
        [
            ("POST", "/v1/check", #"{"customer":"acme","feature":"tokens"}"#),
            ("POST", "/v1/check", #"{"checks":[{"customer":"a","feature":"down"}]}"#),
            ("GET", "/v1/check?customer=a&feature=sso", ""),
            ("GET", "/v1/check?customer=a&feature=region", ""),
            ("GET", "/v1/check?customer=a&feature=endless", ""),
            ("GET", "/v1/check?customer=a&feature=money", ""),
            ("GET", "/v1/check?customer=a&feature=full&deny=429", ""),
            ("POST", "/v1/consume", #"{"customer":"acme","feature":"tokens"}"#),
            ("POST", "/v1/reservations", #"{"customer":"a","feature":"tokens","id":"1"}"#),
            ("POST", "/v1/reservations/res%2F1/commit", ""),
            ("POST", "/v1/reservations/res%2F1/release", ""),
            ("POST", "/v1/events", #"[{"id":"1"},{}]"#),
            ("GET", "/v1/events", ""), ("GET", "/v1/dead-letters", ""),
            ("POST", "/v1/dead-letters/redrive", "{}"),
            ("GET", "/v1/customers/acme/entitlements", ""),
            ("GET", "/v1/customers/ghost/entitlements", ""),
            ("GET", "/v1/customers/acme/usage?feature=tokens", ""),
            ("GET", "/v1/near-limit", ""), ("GET", "/v1/alerts", ""), ("GET", "/v1/totals", ""),
            ("POST", "/v1/reconcile", ""), ("POST", "/v1/catalog", "plans: []"),
            ("POST", "/v1/catalog", "bad"), ("GET", "/openapi.json", ""),
            ("GET", "/v1/check?customer=a&feature=pooled", ""), ("GET", "/v1/signals", ""),
            ("GET", "/v1/signals/x", ""), ("GET", "/v1/signals/gone", ""),
            ("POST", "/v1/signals/x/acknowledge", ""),
            ("POST", "/v1/signals/x/snooze", #"{"until":"next_threshold"}"#),
            ("POST", "/v1/signals/x/assign", #"{"owner":"kim"}"#),
            ("POST", "/v1/signals/x/note", #"{"text":"called"}"#),
            ("POST", "/v1/signals/refresh", ""),
            (
                "POST", "/v1/simulations?from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z",
                "plans: []"
            ),
            ("GET", "/v1/plans/pro/versions", ""), ("POST", "/v1/plans/pro/migrate", "{}"),
            ("POST", "/v1/entitlements", "{}"), ("POST", "/v1/entitlements/provision", "{}"),
            ("POST", "/v1/entitlements/revoke", "{}"), ("POST", "/v1/entitlements/reinstate", "{}"),
            ("POST", "/v1/webhooks/stripe", "{}"), ("GET", "/v1/customers/acme/seats/f", ""),
            ("POST", "/v1/customers/acme/seats/f", #"{"holder":"u"}"#),
            ("DELETE", "/v1/customers/acme/seats/f/u", ""),
            ("POST", "/v1/customers/acme/seats/f/u/heartbeat", ""),
            ("GET", "/v1/customers/acme/adjustments", ""), ("POST", "/v1/customers:import", "{}"),
            ("GET", "/v1/imports/i", ""), ("POST", "/v1/imports/i/rollback", ""),
            ("GET", "/v1/audit", ""), ("GET", "/v1/audit/head", ""), ("GET", "/v1/changes/r", ""),
            ("POST", "/v1/changes/r/undo", ""), ("GET", "/v1/keys", ""), ("POST", "/v1/keys", "{}"),
            ("DELETE", "/v1/keys/k", ""), ("POST", "/v1/customers/acme/token", ""),
            ("POST", "/v1/signing-keys/rotate", ""), ("GET", "/.well-known/jwks.json", ""),
            ("GET", "/v1/alert-endpoints", ""), ("POST", "/v1/alert-endpoints", "{}"),
            ("GET", "/v1/alert-endpoints/e", ""), ("PUT", "/v1/alert-endpoints/e", "{}"),
            ("PATCH", "/v1/alert-endpoints/e", "{}"), ("DELETE", "/v1/alert-endpoints/e", ""),
            ("POST", "/v1/alert-endpoints/e/secret", ""),
            ("POST", "/v1/alert-endpoints/e/test", ""),
            ("POST", "/v1/alert-endpoints/e/enable", ""),
            ("POST", "/v1/alert-endpoints/e/resend", "{}"),
            ("GET", "/v1/alert-endpoints/e/deliveries", ""),
            ("GET", "/v1/alert-endpoints/e/deliveries/m", ""),
            ("POST", "/v1/alert-endpoints/e/deliveries/m/resend", ""),
            ("GET", "/v1/customers/acme/statements", ""), ("GET", "/v1/statements", ""),
            ("GET", "/v1/customers/acme/statements/2026-10?explain=true", ""),
            ("GET", "/v1/customers/acme/statements/2026-10/events?line=li_1", ""),
            ("POST", "/v1/billing/months/2026-10/close", ""), ("GET", "/v1/billing/check", ""),
        ]
        + RouteTable.RecordShape.all.flatMap { shape in
            let path = "/v1/" + shape.path
            return [
                ("GET", path, ""), ("POST", path, "{}"), ("GET", path + "/x", ""),
                ("GET", path + "/gone", ""), ("PUT", path + "/x", "{}"),
                ("PATCH", path + "/x", "{}"),
                ("DELETE", path + "/x", ""),
            ]
        }

    @Test func everyRouteIsDocumentedAndAnswersAsItSays() async throws {
        try await Harness.run { server in
            let document = try await server.send("GET", "/openapi.json").json
            #expect(document["openapi"] as? String == "3.1.0")
            let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
            let validator = SchemaValidator(document: document)
            var untried = Set(
                paths.flatMap { path, operations in operations.keys.map { "\($0) \(path)" } })
            untried.remove("get /v1/catalog")  // answers YAML, not JSON
            for sample in Self.samples {
                let reply = try await server.send(
                    sample.method, sample.target, sample.body,
                    headers: [("Content-Type", "application/json")])
                let path = Self.pattern(of: sample.target, among: paths.keys)
                let method = sample.method.lowercased()
                let operation = try #require(paths[path]?[method], "\(method) \(path)")
                untried.remove("\(method) \(path)")
                let responses = try #require(operation["responses"] as? [String: [String: Any]])
                let response = try #require(responses["\(reply.status)"], "\(path) \(reply.status)")
                let content = try #require(response["content"] as? [String: [String: Any]])
                let type = try #require(reply.headers["content-type"])
                let schema = try #require(content[type]?["schema"] as? [String: Any], "\(type)")
                let problems = validator.problems(of: try reply.json, schema, at: sample.target)
                #expect(problems.isEmpty, "\(problems)")
            }
            #expect(untried.isEmpty, "no sample of \(untried)")
        }
    }

    @Test func everyReferenceLeadsSomewhere() async throws {
        try await Harness.run { server in
            let reply = try await server.send("GET", "/openapi.json")
            let components = try #require(reply.json["components"] as? [String: Any])
            let schemas = try #require(components["schemas"] as? [String: Any])
            let marker = "#/components/schemas/"
            for part in reply.body.components(separatedBy: marker).dropFirst() {
                let name = String(part.prefix { $0 != "\"" })
                #expect(schemas[name] != nil, "\(name)")
            }
        }
    }

    /// Everything in the document can be asked for: no path answers 404 or 405.
    @Test func everyDocumentedPathExists() async throws {
        try await Harness.run { server in
            let document = try await server.send("GET", "/openapi.json").json
            let paths = try #require(document["paths"] as? [String: [String: Any]])
            #expect(paths.count >= 60)
            for (path, operations) in paths {
                for method in operations.keys {
                    let target = path.split(separator: "/", omittingEmptySubsequences: false)
                        .map { $0.first == "{" ? "x" : $0 }.joined(separator: "/")
                    let reply = try await server.send(method.uppercased(), target)
                    #expect(reply.status != 405 && reply.code != "no_route", "\(method) \(path)")
                }
            }
        }
    }

    /// The path of the document that a target is one of; one without parameters goes first.
    private static func pattern(of target: String, among paths: some Sequence<String>) -> String {
        let segments = target.prefix { $0 != "?" }.split(separator: "/")
        let fitting = paths.filter { path in
            let pattern = path.split(separator: "/")
            return pattern.count == segments.count
                && zip(pattern, segments).allSatisfy { $0 == $1 || $0.first == "{" }
        }
        return fitting.min { $0.count { $0 == "{" } < $1.count { $0 == "{" } } ?? ""
    }

    /// Every operation has a name of its own, and every parameter of a path is described.
    @Test func operationsAreNamedOnce() async throws {
        try await Harness.run { server in
            let document = try await server.send("GET", "/openapi.json").json
            let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
            var names: Set<String> = []
            for (path, operations) in paths {
                for operation in operations.values {
                    let name = try #require(operation["operationId"] as? String)
                    #expect(names.insert(name).inserted, "\(name)")
                    let parameters = operation["parameters"] as? [[String: Any]] ?? []
                    let described = parameters.filter { $0["in"] as? String == "path" }
                        .compactMap { $0["name"] as? String }
                    let expected = path.split(separator: "/").filter { $0.first == "{" }
                        .map { String($0.dropFirst().dropLast()) }
                    #expect(described == expected, "\(path)")
                }
            }
            #expect(names.count == RouteTable.api(server.services, Harness.options()).count)
        }
    }
}

/// As much of JSON Schema as the document uses.
struct SchemaValidator {
    let document: [String: Any]

    func problems(of value: Any, _ schema: [String: Any], at path: String) -> [String] {
        if let reference = schema["$ref"] as? String {
            let name = String(reference.split(separator: "/").last ?? "")
            let components = document["components"] as? [String: Any]
            let schemas = components?["schemas"] as? [String: [String: Any]]
            guard let target = schemas?[name] else { return ["\(path): no schema \(name)"] }
            return problems(of: value, target, at: path)
        }
        if let choices = schema["anyOf"] as? [[String: Any]] {
            let all = choices.map { problems(of: value, $0, at: path) }
            return all.contains { $0.isEmpty } ? [] : all.flatMap { $0 }
        }
        var found: [String] = []
        if let types = schema["type"] as? [String] ?? (schema["type"] as? String).map({ [$0] }),
            !types.contains(where: { Self.has(value, type: $0) })
        {
            found.append("\(path): \(value) is not \(types)")
        }
        if let values = schema["enum"] as? [String], let text = value as? String,
            !values.contains(text)
        {
            found.append("\(path): \(text) is none of \(values)")
        }
        if let object = value as? [String: Any] {
            let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
            for name in schema["required"] as? [String] ?? [] where object[name] == nil {
                found.append("\(path): \(name) is missing")
            }
            for (name, member) in object {
                if let property = properties[name] {
                    found += problems(of: member, property, at: path + "." + name)
                } else if schema["additionalProperties"] as? Bool == false {
                    found.append("\(path): \(name) is not documented")
                }
            }
        }
        if let array = value as? [Any], let items = schema["items"] as? [String: Any] {
            for (index, element) in array.enumerated() {
                found += problems(of: element, items, at: "\(path)[\(index)]")
            }
        }
        return found
    }

    private static func has(_ value: Any, type: String) -> Bool {
        let number = value as? NSNumber
        // SAFETY: a constant C string that lives as long as the number.
        let isBool = number.map { unsafe String(cString: $0.objCType) == "c" } ?? false
        switch type {
        case "object": return value is [String: Any]
        case "array": return value is [Any]
        case "string": return value is String
        case "boolean": return isBool
        case "integer": return number != nil && !isBool
        default: return value is NSNull
        }
    }
}
