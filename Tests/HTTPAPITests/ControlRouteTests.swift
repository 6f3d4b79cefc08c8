import Foundation
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@testable import HTTPAPI

/// Every control-plane route becomes the command or query that the contract names.
@Suite struct ControlRouteTests {
    @Test func recordsOfEveryKind() async throws {
        try await Harness.run { server in
            #expect(RouteTable.RecordShape.all.count == 11)
            for shape in RouteTable.RecordShape.all {
                let path = "/v1/" + shape.path
                let created = try await server.send("POST", path, #"{"name":"n"}"#)
                #expect(created.status == 201 && created.headers["location"] == "/v1/things/new")
                #expect(created.headers["etag"] == "\"41\"")
                #expect(server.control.takeCommand()?.operation == .create(shape.kind))
                let id = "a%2Fb%20c"
                let calls: [(String, ControlCommand.Operation)] = [
                    ("PUT", .put(shape.kind, "a/b c")), ("PATCH", .patch(shape.kind, "a/b c")),
                    ("DELETE", .delete(shape.kind, "a/b c")),
                ]
                for (method, operation) in calls {
                    let reply = try await server.send(method, "\(path)/\(id)", "{}")
                    #expect(reply.status == 200)
                    #expect(server.control.takeCommand()?.operation == operation)
                }
                let one = try await server.send("GET", "\(path)/\(id)?at=2026-01-01T00:00:00Z")
                #expect(one.status == 200 && one.headers["etag"] == "\"17\"")
                let query = try #require(server.control.takeQueries().first)
                #expect(query.subject == .record(shape.kind, "a/b c"))
                #expect(query.at == Timestamp(seconds: 1_767_225_600))
                let list = try await server.send(
                    "GET",
                    path + "?limit=7&cursor=x" + (shape.isDefinition ? "" : "&customer=acme"))
                #expect((try list.json["items"] as? [Any])?.count == 2)
                let asked = try #require(server.control.takeQueries().first)
                #expect(asked.subject == .list(shape.kind))
                #expect(asked.limit == 7 && asked.cursor == "x")
                #expect(asked.customer == (shape.isDefinition ? nil : "acme"))
            }
        }
    }

    @Test func otherCommands() async throws {
        let seat = "/v1/customers/a%2Fb/seats/editors"
        let calls: [(String, String, ControlCommand.Operation)] = [
            ("POST", "/v1/plans/pro/migrate?expected_count=3", .migrate("pro")),
            ("POST", "/v1/entitlements", .provision),
            ("POST", "/v1/entitlements/provision", .provision),
            ("POST", "/v1/entitlements/revoke", .revoke),
            ("POST", "/v1/entitlements/reinstate", .reinstate),
            ("POST", seat, .assignSeat("a/b", "editors")),
            ("DELETE", seat + "/u%401", .releaseSeat("a/b", "editors", "u@1")),
            ("POST", seat + "/u%2F1/heartbeat", .renewSeat("a/b", "editors", "u/1")),
            ("POST", "/v1/changes/r1/undo", .undo("r1")),
            ("POST", "/v1/keys", .createKey), ("DELETE", "/v1/keys/k1", .revokeKey("k1")),
            ("POST", "/v1/customers/acme/token", .mintToken("acme")),
            ("POST", "/v1/signing-keys/rotate", .rotateSigningKey),
        ]
        try await Harness.run { server in
            for (method, target, operation) in calls {
                let reply = try await server.send(method, target, "{}")
                #expect((200...201).contains(reply.status), "\(target) \(reply)")
                #expect(server.control.takeCommand()?.operation == operation)
                let isSecret = operation == .createKey || operation == .mintToken("acme")
                #expect((reply.headers["cache-control"] == "no-store") == isSecret)
            }
        }
    }

    @Test func otherQueries() async throws {
        let calls: [(String, ControlQuery.Subject)] = [
            ("/v1/plans/pro/versions", .planVersions("pro")),
            ("/v1/customers/acme/seats/editors", .seats("acme", "editors")),
            ("/v1/customers/acme/adjustments", .adjustments("acme")),
            ("/v1/changes/r%2F1", .request("r/1")), ("/v1/imports/i1", .importProgress("i1")),
            ("/v1/audit/head", .auditHead), ("/v1/keys", .keys),
            ("/.well-known/jwks.json", .jwks),
        ]
        try await Harness.run { server in
            for (target, subject) in calls {
                #expect(try await server.send("GET", target).status == 200)
                #expect(server.control.takeQueries().map(\.subject) == [subject])
            }
            let keys = try await server.send("GET", "/.well-known/jwks.json")
            #expect(keys.headers["cache-control"] == "public, max-age=300")
        }
    }

    @Test func problemsKeepTheirMembers() async throws {
        try await Harness.run { server in
            let kinds: [(ControlProblem.Kind, Int)] = [
                (.invalid, 400), (.unauthorized, 401), (.forbidden, 403), (.notFound, 404),
                (.conflict, 409), (.preconditionFailed, 412), (.unprocessable, 422),
                (.unavailable, 503),
            ]
            for (kind, status) in kinds {
                server.control.failure.withLock {
                    $0 = ControlProblem(
                        kind, "some_code", "what happened", field: "limits.calls",
                        lines: [
                            .init(line: 70_000, field: "plan", message: "unknown"),
                            .init(line: 70_001, message: "broken"),
                        ])
                }
                for (method, target) in [
                    ("POST", "/v1/entitlements"), ("GET", "/v1/customers/acme"),
                    ("POST", "/v1/customers:import"), ("POST", "/v1/imports/i/rollback"),
                ] {
                    let reply = try await server.send(method, target)
                    #expect(reply.status == status && reply.code == "some_code")
                    #expect(reply.field == "limits.calls")
                    #expect((reply.headers["retry-after"] != nil) == (status == 503))
                    let errors = try reply.json["errors"] as? [[String: Any]] ?? []
                    #expect(errors.map { $0["line"] as? Int } == [70_000, 70_001])
                    #expect(errors[0]["field"] as? String == "plan" && errors[1]["field"] == nil)
                    #expect(errors[0]["column"] == nil)
                }
            }
        }
    }

    @Test func auditAsPagesAndAsLines() async throws {
        try await Harness.run { server in
            let target =
                "/v1/audit?customer=acme&kind=add-on&id=p&actor=k&request_id=r&limit=2&cursor=c1"
                + "&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"
            let page = try await server.send("GET", target)
            #expect(try page.json["next"] as? String == "c2")
            let query = try #require(server.control.takeQueries().first)
            let filter = AuditFilter(
                customer: "acme", kind: .addOn, id: "p", actor: "k", requestID: "r",
                from: Timestamp(seconds: 1_767_225_600), to: Timestamp(seconds: 1_767_312_000))
            #expect(query.subject == .audit(filter) && query.limit == 2 && query.cursor == "c1")
            let lines = try await server.send(
                "GET", "/v1/audit", headers: [("Accept", "Application/X-NDJSON, */*;q=0.1")])
            #expect(lines.headers["content-type"] == "application/x-ndjson")
            #expect(lines.headers["tollgate-next-cursor"] == "c2")
            let rows = lines.body.split(separator: "\n")
            #expect(rows.count == 2 && lines.body.hasSuffix("}\n"))
            for row in rows { #expect(try JSONParser.parse(String(row))["seq"]?.integer == 1) }
            for (query, field) in [
                ("kind=things", "kind"), ("limit=1001", "limit"), ("limit=0", "limit"),
                ("from=x", "from"),
            ] {
                let reply = try await server.send("GET", "/v1/audit?" + query)
                #expect(reply.status == 400 && reply.field == field)
            }
        }
    }

    @Test func importsAndWebhooks() async throws {
        try await Harness.run {
            $0.bodyBytesMax = 1_000
            $0.importBytesMax = 200_000
        } _: { server in
            let lines = String(repeating: "{\"id\":\"a\"}\n", count: 10_000)
            let reply = try await server.send(
                "POST", "/v1/customers:import?dry_run=true&expected_count=10000&id=i1", lines,
                headers: [("Content-Type", "application/x-ndjson")])
            #expect(reply.status == 200)
            let taken = try #require(server.control.imports.withLock { $0.first })
            #expect(taken.count == lines.utf8.count && taken.id == "i1")
            #expect(taken.context.isDryRun && taken.context.expectedCount == 10_000)
            let large = try await server.send(
                "POST", "/v1/customers:import", String(repeating: " ", count: 200_001))
            #expect(large.status == 413)
            // What the bodies took has been given back.
            let metrics = try await server.send("GET", "/metrics", admin: true)
            #expect(metrics.body.contains("\ntollgate_http_buffered_bytes 0\n"))

            let back = try await server.send(
                "POST", "/v1/imports/i1/rollback", #"{"reason":"wrong file"}"#)
            #expect(back.status == 200)
            let rollback = try #require(server.control.rollbacks.withLock { $0.first })
            #expect(rollback.id == "i1" && rollback.context.reason == "wrong file")

            let body = #" {"type":"x"} "#
            let forged = try await server.send("POST", "/v1/webhooks/stripe", body)
            #expect(forged.status == 401 && forged.code == "bad_signature")
            server.access.add("tg_some", scopes: [.admin])
            let signed = try await server.send(
                "POST", "/v1/webhooks/stripe", body, headers: [("Stripe-Signature", "t=1,v1=ab")])
            #expect(signed.status == 200)
            let event = try #require(server.control.webhooks.withLock { $0.last })
            #expect(event.system == "stripe" && event.signature == "t=1,v1=ab")
            #expect(String(decoding: event.body, as: UTF8.self) == body)
        }
    }
}
