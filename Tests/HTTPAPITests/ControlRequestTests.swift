import Foundation
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@testable import HTTPAPI

/// What a request says beside its document becomes the command's context.
@Suite struct ControlRequestTests {
    /// A misspelt dry run must not be a change.
    @Test(arguments: ["dryrun=true", "dry-run=true", "dry_run=true&foo=1", "expected_count=2"])
    func unknownParametersAreRefused(query: String) async throws {
        try await Harness.run { server in
            let reply = try await server.send("PATCH", "/v1/customers/acme?" + query, "{}")
            #expect(reply.status == 400)
            #expect(try reply.json["code"] as? String == "unknown_parameter")
            #expect(server.control.takeCommand() == nil)
        }
    }

    private static let json = [("Content-Type", "application/json")]

    @Test func contextOfACommand() async throws {
        try await Harness.run { server in
            let reply = try await server.send(
                "PATCH",
                "/v1/customers/acme?dry_run=true"
                    + "&effective_at=2026-01-01T01:00:00.9%2B01:00&reason=because",
                #"{"name":"Acme"}"#,
                headers: [
                    ("Idempotency-Key", "k 1".replacingOccurrences(of: " ", with: "-")),
                    ("If-Match", "\"17\""), ("Tollgate-Source", "crm"), ("X-Request-Id", "req-9"),
                ])
            #expect(reply.status == 200)
            let command = try #require(server.control.takeCommand())
            #expect(
                command.context
                    == CommandContext(
                        principal: .local, source: "crm", requestID: "req-9",
                        idempotencyKey: "k-1", ifMatch: "17",
                        effectiveAt: Timestamp(seconds: 1_767_225_600), reason: "because",
                        isDryRun: true))
            #expect(command.body == .object(["name": .string("Acme")]))
            _ = try await server.send("POST", "/v1/customers", "{}")
            let plain = try #require(server.control.takeCommand()).context
            #expect(plain.source == "api" && plain.requestID.count == 16)
            #expect(plain.ifMatch == nil && plain.effectiveAt == nil && !plain.isDryRun)
        }
    }

    @Test func membersOfTheBodyThatAreNotTheRecords() async throws {
        try await Harness.run { server in
            let body = #"{"feature":"t","reason":"goodwill","effective_at":"2026-01-01T00:00:00Z"}"#
            func command(_ target: String, _ body: String) async throws -> ControlCommand {
                let reply = try await server.send("POST", target, body)
                #expect(reply.status == 201 || reply.status == 200, "\(reply.body)")
                return try #require(server.control.takeCommand())
            }
            for (path, keeps) in [
                ("/v1/overrides", true), ("/v1/grants", true), ("/v1/suspensions", true),
                ("/v1/revocations", true), ("/v1/entitlements/revoke", true),
                ("/v1/customers", false), ("/v1/subscriptions", false), ("/v1/plans", false),
                ("/v1/changes/r/undo", false), ("/v1/entitlements", false),
            ] {
                let command = try await command(path, body)
                #expect(command.context.reason == "goodwill")
                #expect(command.context.effectiveAt == Timestamp(seconds: 1_767_225_600))
                #expect(command.body["reason"]?.text == (keeps ? "goodwill" : nil), "\(path)")
                #expect(command.body["effective_at"] == nil)
                #expect(command.body["feature"]?.text == "t")
            }
            // A time in the customer's zone is the control plane's to read.
            let local = #"{"effective_at":"2026-01-01","reason":null}"#
            for target in ["/v1/entitlements/revoke", "/v1/grants"] {
                let command = try await command(target, local)
                #expect(command.body["effective_at"]?.text == "2026-01-01")
                #expect(command.context.effectiveAt == nil && command.context.reason == nil)
            }
            let asked = try await command("/v1/customers?effective_at=2026-01-02T12:00", "{}")
            #expect(asked.body["effective_at"]?.text == "2026-01-02T12:00")
            #expect(asked.context.effectiveAt == nil)
            let odd: [(String, String, String)] = [
                ("/v1/grants", #"{"effective_at":7}"#, "effective_at"),
                ("/v1/customers", #"{"reason":7}"#, "reason"),
                (
                    "/v1/customers?effective_at=2026-01-02T00:00:00Z",
                    #"{"effective_at":"2026-01-01T00:00:00Z"}"#, "effective_at"
                ),
                ("/v1/customers?dry_run=maybe", "{}", "dry_run"),
                ("/v1/customers?expected_count=-1", "{}", "expected_count"),
            ]
            for (target, body, field) in odd {
                let reply = try await server.send("POST", target, body)
                #expect(reply.status == 400 && reply.field == field, "\(target) \(reply.body)")
            }
            #expect(server.control.commands.withLock { $0.isEmpty })
        }
    }

    @Test func headersAreChecked() async throws {
        let bad: [(String, String, Int)] = [
            ("Idempotency-Key", "", 400), ("Idempotency-Key", "a b", 400),
            ("Idempotency-Key", String(repeating: "k", count: 256), 400),
            ("Idempotency-Key", "schlüssel", 400), ("If-Match", "17", 400),
            ("If-Match", "\"1\", \"2\"", 400), ("If-Match", "\"\"", 400), ("If-Match", "\"", 400),
            ("If-Match", "W/\"17\"", 412), ("Tollgate-Source", "a b", 400),
            ("Tollgate-Source", String(repeating: "s", count: 65), 400),
        ]
        try await Harness.run { server in
            for (name, value, status) in bad {
                let reply = try await server.send(
                    "PATCH", "/v1/customers/acme", "{}", headers: [(name, value)])
                #expect(reply.status == status && reply.field == name, "\(name) \(value)")
            }
            let twice = try await server.send(
                "PATCH", "/v1/customers/acme", "{}",
                headers: [("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
            #expect(twice.status == 400 && twice.field == "Idempotency-Key")
            #expect(server.control.commands.withLock { $0.isEmpty })
            for (value, tag) in [("*", "*"), ("\"a-1\"", "a-1")] {
                let headers = [
                    ("If-Match", value),
                    ("Idempotency-Key", String(repeating: "k", count: 255)),
                ]
                let reply = try await server.send(
                    "PATCH", "/v1/customers/acme", "{}", headers: headers)
                #expect(reply.status == 200)
                #expect(server.control.takeCommand()?.context.ifMatch == tag)
            }
        }
    }

    @Test func digestsTellRequestsApart() async throws {
        try await Harness.run { server in
            func digest(
                _ method: String, _ target: String, _ body: String, key: String? = nil
            ) async throws -> String {
                _ = try await server.send(
                    method, target, body,
                    headers: key.map { [("Authorization", "Bearer " + $0)] } ?? [])
                return try #require(server.control.takeCommand()).digest
            }
            let first = try await digest("PUT", "/v1/customers/a", "{}")
            #expect(first.count == 64 && first.allSatisfy(\.isHexDigit))
            #expect(try await digest("PUT", "/v1/customers/a", "{}") == first)
            var seen: Set = [first]
            let others = [
                ("PATCH", "/v1/customers/a", "{}"), ("PUT", "/v1/customers/b", "{}"),
                ("PUT", "/v1/customers/a?dry_run=true", "{}"), ("PUT", "/v1/customers/a", "{ }"),
                ("PUT", "/v1/customers/a", ""),
            ]
            for (method, target, body) in others {
                #expect(seen.insert(try await digest(method, target, body)).inserted)
            }
            server.access.add("tg_one", scopes: [.writeLimits])
            #expect(
                seen.insert(try await digest("PUT", "/v1/customers/a", "{}", key: "tg_one"))
                    .inserted)
        }
    }

    @Test func bodiesThatAreNoObjects() async throws {
        try await Harness.run { server in
            for (body, place) in [
                (#"{"a":1,}"#, "at byte 7"), ("[]", "object"), ("{\"a\":1,\"a\":2}", "at byte 7"),
                ("7", "object"), ("{", "at byte 1"),
            ] {
                let reply = try await server.send("POST", "/v1/plans", body, headers: Self.json)
                #expect(reply.status == 400 && reply.code == "malformed_json")
                #expect(reply.body.contains(place), "\(reply.body)")
            }
        }
    }
}
