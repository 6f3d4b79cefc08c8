import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@testable import HTTPAPI

/// Billing over HTTP: what a request becomes, and what an answer becomes.
@Suite struct BillingRouteTests {
    @Test func readsBecomeQueries() async throws {
        try await Harness.run { server in
            let expected: [(String, BillingQuery.Subject)] = [
                ("/v1/customers/acme/statements", .statementsOf("acme")),
                (
                    "/v1/customers/a%2Fb/statements/2026-10",
                    .statement("a/b", month: "2026-10", isExplained: false)
                ),
                (
                    "/v1/customers/acme/statements/2026-10?explain=true",
                    .statement("acme", month: "2026-10", isExplained: true)
                ),
                (
                    "/v1/customers/acme/statements/2026-10/events?line=li_1",
                    .events("acme", month: "2026-10", line: "li_1")
                ),
                ("/v1/statements", .statements(month: nil, state: nil)),
                (
                    "/v1/statements?month=2026-10&state=grace",
                    .statements(month: "2026-10", state: "grace")
                ),
                ("/v1/billing/check", .check(month: nil, customer: nil)),
                (
                    "/v1/billing/check?month=2026-10&customer=acme",
                    .check(month: "2026-10", customer: "acme")
                ),
            ]
            for (target, subject) in expected {
                let reply = try await server.send("GET", target)
                #expect(reply.status == 200, "\(target)")
                let asked = server.billing.queries.withLock { queries in
                    defer { queries.removeAll() }
                    return queries
                }
                #expect(asked.map(\.subject) == [subject], "\(target)")
            }
            _ = try await server.send("GET", "/v1/statements?cursor=c&limit=7")
            let page = try #require(server.billing.queries.withLock { $0.last })
            #expect(page.cursor == "c")
            #expect(page.limit == 7)
        }
    }

    @Test func closingBecomesACommand() async throws {
        try await Harness.run { server in
            let reply = try await server.send(
                "POST", "/v1/billing/months/2026-10/close?customer=acme",
                #"{"reason":"invoices go out"}"#,
                headers: [("Content-Type", "application/json"), ("Idempotency-Key", "k1")])
            #expect(reply.status == 200)
            let command = try #require(server.billing.commands.withLock { $0.first })
            #expect(command.operation == .close(month: "2026-10", customer: "acme"))
            #expect(command.context.reason == "invoices go out")
            #expect(command.context.idempotencyKey == "k1")
            #expect(!command.digest.isEmpty)
        }
    }

    /// A month that is closed for everybody stays closed.
    @Test func aCustomerInTheBodyClosesNobodysMonth() async throws {
        try await Harness.run { server in
            let reply = try await server.send(
                "POST", "/v1/billing/months/2026-10/close",
                #"{"customer":"acme","reason":"invoices go out"}"#,
                headers: [("Content-Type", "application/json")])
            #expect(reply.status == 400)
            #expect(reply.code == "unknown_member")
            #expect(server.billing.commands.withLock { $0.isEmpty })
        }
    }

    @Test func problemsKeepTheirCodes() async throws {
        try await Harness.run { server in
            server.billing.failure.withLock {
                $0 = ControlProblem(.conflict, "already_closed", "2026-10 is closed")
            }
            let reply = try await server.send("POST", "/v1/billing/months/2026-10/close")
            #expect(reply.status == 409)
            #expect(reply.code == "already_closed")
            let missing = try await server.send(
                "GET", "/v1/customers/acme/statements/2026-10/events")
            #expect(missing.status == 400)
            let unknown = try await server.send("GET", "/v1/billing/check?moth=2026-10")
            #expect(unknown.code == "unknown_parameter")
        }
    }
}
