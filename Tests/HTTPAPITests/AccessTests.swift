import Foundation
import MeteringModel
import MeteringPorts
import NIOHTTP1
import Synchronization
import Testing

@testable import HTTPAPI

/// Who may do what: generated from the route table, so that no route can be forgotten.
@Suite struct AccessTests {
    private static func key(_ secret: String) -> [(String, String)] {
        [("Authorization", "Bearer " + secret), ("Content-Type", "application/json")]
    }

    /// A target that a route's pattern takes.
    private static func target(of route: Route, customer: String = "acme") -> String {
        route.pattern.replacingOccurrences(of: "{id}", with: customer)
            .replacingOccurrences(of: "{key}", with: "k")
            .replacingOccurrences(of: "{feature}", with: "f")
            .replacingOccurrences(of: "{holder}", with: "h")
            .replacingOccurrences(of: "{request_id}", with: "r")
    }

    @Test func everyRouteWantsItsScope() async throws {
        try await Harness.run {
            $0.rateLimitPerSecond = 0
        } _: { server in
            for scope in AccessScope.allCases {
                server.access.add("tg_\(scope)", scopes: [scope])
            }
            let routes = RouteTable.api(server.services, Harness.options())
            #expect(routes.count > 100 && routes.count < HTTPMetrics.routeCountMax)
            for route in routes {
                let method = route.method.rawValue
                let target = Self.target(of: route)
                let anonymous = try await server.send(method, target)
                guard let wanted = route.scope else {
                    #expect(anonymous.code != "unauthorized", "\(target)")
                    continue
                }
                #expect(anonymous.status == 401, "\(method) \(target)")
                for scope in AccessScope.allCases {
                    let reply = try await server.send(
                        method, target, headers: Self.key("tg_\(scope)"))
                    let isAllowed = scope == wanted || scope == .admin
                    #expect(
                        (reply.status != 401 && reply.status != 403) == isAllowed,
                        "\(method) \(target) with \(scope): \(reply.status)")
                    if !isAllowed { #expect(reply.code == "forbidden") }
                }
            }
        }
    }

    @Test func scopesAreTheContracts() async throws {
        let expected: [(String, String, AccessScope?)] = [
            ("GET", "/v1/customers", .readUsage), ("POST", "/v1/customers", .writeLimits),
            ("PATCH", "/v1/subscriptions/{id}", .writeLimits), ("GET", "/v1/plans", .readUsage),
            ("PUT", "/v1/plans/{key}", .admin), ("POST", "/v1/meters", .admin),
            ("POST", "/v1/plans/{key}/migrate", .writeLimits),
            ("POST", "/v1/entitlements/revoke", .writeLimits), ("GET", "/v1/audit", .readAudit),
            ("GET", "/v1/audit/head", .readAudit), ("POST", "/v1/keys", .admin),
            ("POST", "/v1/signing-keys/rotate", .admin), ("POST", "/v1/catalog", .admin),
            ("POST", "/v1/customers/{id}/seats/{feature}/{holder}/heartbeat", .check),
            ("POST", "/v1/customers/{id}/seats/{feature}", .writeLimits),
            ("POST", "/v1/customers/{id}/token", .writeLimits), ("POST", "/v1/check", .check),
            ("POST", "/v1/events", .writeEvents), ("POST", "/v1/customers:import", .writeLimits),
            ("GET", "/.well-known/jwks.json", nil), ("POST", "/v1/webhooks/stripe", nil),
        ]
        try await Harness.run { server in
            let routes = RouteTable.api(server.services, Harness.options())
            var scopes: [String: AccessScope?] = [:]
            for route in routes { scopes[route.method.rawValue + route.pattern] = route.scope }
            for (method, pattern, scope) in expected {
                #expect(scopes[method + pattern] == .some(scope), "\(method) \(pattern)")
            }
            // What is open to everybody is written down here.
            let open = routes.filter { $0.scope == nil }.map(\.pattern).sorted()
            #expect(
                open == ["/.well-known/jwks.json", "/openapi.json", "/v1/webhooks/stripe"])
        }
    }

    @Test func withoutAControlPlaneItsRoutesAreNotThere() async throws {
        try await Harness.run { server in
            var services = server.services
            services.control = nil
            let patterns = RouteTable.api(services, Harness.options()).map(\.pattern)
            #expect(!patterns.contains("/v1/customers") && !patterns.contains("/v1/audit"))
            #expect(patterns.contains("/v1/customers/{id}/entitlements"))
        }
    }

    /// A listener that others can reach serves nobody as long as there is no key.
    @Test func withoutKeysOnlyLoopbackIsServed() async throws {
        try await Harness.run { server in
            let open = HTTPServer(services: server.services, options: Harness.options())
            let port = try await open.start(host: "0.0.0.0", port: 0).port
            func get(_ target: String, _ headers: [(String, String)] = []) async throws -> Reply {
                try await Wire.open(port: port) { wire in
                    try await wire.send(Harness.request("GET", target, headers: headers))
                    return try await wire.reply()
                }
            }
            let refused = try await get("/v1/customers")
            #expect(refused.status == 401 && refused.body.contains("loopback"))
            #expect(try await get("/.well-known/jwks.json").status == 200)
            server.access.add("tg_read", scopes: [.readUsage])
            #expect(try await get("/v1/customers", Self.key("tg_read")).status == 200)
            await open.drain(timeout: .seconds(2))
        }
    }

    @Test func webPagesMayNotActWithoutAKey() async throws {
        try await Harness.run { server in
            let page = [("Origin", "http://evil.test")]
            let refused = try await server.send("POST", "/v1/keys", "{}", headers: page)
            #expect(refused.status == 403 && refused.code == "cross_origin")
            #expect(try await server.send("GET", "/v1/customers", headers: page).status == 200)
            server.access.add("tg_all", scopes: [.admin])
            let known = try await server.send(
                "POST", "/v1/keys", "{}", headers: page + Self.key("tg_all"))
            #expect(known.status == 201)
        }
    }

    // MARK: keys that are bound to a customer

    private static func bound(_ body: (Harness) async throws -> Void) async throws {
        try await Harness.run {
            $0.rateLimitPerSecond = 0
        } _: { server in
            server.access.add("tg_acme", scopes: [.admin], customer: "acme")
            try await body(server)
        }
    }

    @Test func boundKeysDoNotReachTheInstallation() async throws {
        try await Self.bound { server in
            for route in RouteTable.api(server.services, Harness.options()) {
                let isPerCustomer = route.pattern.hasPrefix("/v1/customers/{id}/")
                let reply = try await server.send(
                    route.method.rawValue, Self.target(of: route, customer: "rival"),
                    headers: Self.key("tg_acme"))
                let own = try await server.send(
                    route.method.rawValue, Self.target(of: route), headers: Self.key("tg_acme"))
                switch route.reach {
                case .installation: #expect(reply.code == "wrong_customer", "\(route.pattern)")
                case .tree where isPerCustomer:
                    #expect(reply.status == 403 && reply.code == "wrong_customer")
                    #expect(own.status != 403, "\(route.pattern) \(own.body)")
                case .tree: break
                case .common: #expect(reply.status != 403, "\(route.pattern)")
                }
            }
        }
    }

    @Test func boundKeysAskAboutTheirTree() async throws {
        try await Self.bound { server in
            let parties: [(String, Bool)] = [
                (#""customer":"acme""#, true), (#""customer":"acme-east""#, true),
                (#""customer":"rival""#, false), (#""subject":"key_acme-west""#, true),
                (#""subject":"key_rival""#, false), (#""subject":"nobodys""#, false),
            ]
            for (party, isOwn) in parties {
                for route in ["/v1/check", "/v1/consume", "/v1/reservations"] {
                    let reply = try await server.send(
                        "POST", route, #"{\#(party),"feature":"tokens","id":"1"}"#,
                        headers: Self.key("tg_acme"))
                    #expect(reply.status == (isOwn ? 200 : 403), "\(route) \(party)")
                    #expect(isOwn || reply.code == "wrong_customer")
                }
            }
            server.gate.asked.withLock { $0 = [] }
            let batch = parties.map { #"{\#($0.0),"feature":"tokens"}"# }.joined(separator: ",")
            for route in ["/v1/check", "/v1/consume"] {
                let reply = try await server.send(
                    "POST", route, #"{"checks":[\#(batch)]}"#, headers: Self.key("tg_acme"))
                let decisions = try reply.json["decisions"] as? [[String: Any]] ?? []
                #expect(
                    decisions.map { $0["code"] as? String }
                        == [nil, nil, "wrong_customer", nil, "wrong_customer", "wrong_customer"])
            }
            #expect(server.gate.asked.withLock { $0.count } == 6)
            let query = "/v1/check?customer=rival&feature=tokens"
            #expect(try await server.send("GET", query, headers: Self.key("tg_acme")).status == 403)
        }
    }

    @Test func boundKeysReport() async throws {
        try await Self.bound { server in
            let key = Self.key("tg_acme")
            // The pages hold acme, rival and acme; the last of them ends the list.
            let near = try await server.send("GET", "/v1/near-limit?limit=3", headers: key)
            let entries = try near.json["entries"] as? [[String: Any]] ?? []
            #expect(entries.map { $0["customer"] as? String } == ["acme", "acme"])
            #expect(try near.json["next"] is NSNull)
            #expect(
                server.reporting.asked.withLock { $0 }
                    == ["near 8000 3 -", "near 8000 2 next-page", "near 8000 2 last-page"])
            #expect(try await server.send("GET", "/v1/alerts", headers: key).status == 200)
            let foreign = try await server.send("GET", "/v1/alerts?customer=rival", headers: key)
            #expect(foreign.status == 403)
        }
    }

    @Test func boundKeysRecordEventsOfTheirSubjects() async throws {
        try await Self.bound { server in
            let headers = [
                ("Authorization", "Bearer tg_acme"),
                ("Content-Type", "application/cloudevents-batch+json"),
            ]
            let events = [
                #"{"id":"1","subject":"key_acme"}"#, #"{"id":"2","subject":"key_rival"}"#,
                #"{"id":"3"}"#, #"{"id":"4","subject":"key_acme","subject":"key_acme"}"#,
                #"{"id":"5","subj\u0065ct":"key_rival"}"#, #"{"id":"6","subject":"key_acme-east"}"#,
            ]
            let reply = try await server.send(
                "POST", "/v1/events", "[\(events.joined(separator: ","))]", headers: headers)
            let rejected = try reply.json["rejected"] as? [[String: Any]] ?? []
            #expect(try reply.json["accepted"] as? Int == 2)
            #expect(rejected.map { $0["index"] as? Int } == [1, 2, 3, 4])
            #expect(rejected.allSatisfy { $0["code"] as? String == "wrong_customer" })
            let single = try await server.send(
                "POST", "/v1/events", events[1], headers: Self.key("tg_acme"))
            #expect(single.status == 403 && single.code == "wrong_customer")
            #expect(
                server.ingest.recorded.withLock { $0.map(\.key) } == ["key_acme", "key_acme-east"])
        }
    }

    /// Which records are of the tree is the control plane's to say: it is told who asks.
    @Test func theControlPlaneHearsWhoAsks() async throws {
        try await Self.bound { server in
            let key = Self.key("tg_acme")
            let principal = Principal(id: "id-of-tg_acme", scopes: [.admin], customer: "acme")
            for (method, target) in [
                ("POST", "/v1/grants"), ("PUT", "/v1/customers/new"), ("POST", "/v1/entitlements"),
                ("DELETE", "/v1/overrides/o"), ("POST", "/v1/changes/r/undo"),
                ("POST", "/v1/customers/acme-east/token"), ("POST", "/v1/keys"),
            ] {
                let reply = try await server.send(method, target, "{}", headers: key)
                #expect((200...201).contains(reply.status), "\(target) \(reply.body)")
                #expect(server.control.takeCommand()?.context.principal == principal)
            }
            for target in ["/v1/grants", "/v1/grants/g", "/v1/audit", "/v1/customers/rival"] {
                #expect(try await server.send("GET", target, headers: key).status == 200)
                let query = try #require(server.control.takeQueries().first)
                #expect(query.principal == principal && query.customer == nil)
            }
        }
    }
}
