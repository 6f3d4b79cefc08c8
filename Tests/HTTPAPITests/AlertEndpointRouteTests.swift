import MeteringModel
import MeteringPorts
import NIOHTTP1
import Synchronization
import Testing

@testable import HTTPAPI

@Suite struct AlertEndpointRouteTests {
    private static let path = "/v1/alert-endpoints"

    @Test func requestsReachTheDeskAsTheyAreMeant() async throws {
        try await Harness.run { server in
            let made = try await server.send(
                "POST", Self.path + "?reason=why", #"{"kind":"webhook"}"#,
                headers: [("Idempotency-Key", "k1"), ("Content-Type", "application/json")])
            #expect(made.status == 201)
            #expect(made.headers["location"] == Self.path + "/ep_1")
            // The answer holds a secret.
            #expect(made.headers["cache-control"] == "no-store")
            let command = try #require(server.desk.commands.withLock { $0.last })
            #expect(command.operation == .create)
            #expect(command.context.idempotencyKey == "k1" && command.context.reason == "why")
            _ = try await server.send(
                "POST", Self.path + "/ops/deliveries/m1/resend", "",
                headers: [("Content-Type", "application/json")])
            #expect(
                server.desk.commands.withLock { $0.last?.operation }
                    == .resend("ops", message: "m1"))
            let listed = try await server.send(
                "GET", Self.path + "/ops/deliveries?state=failed&limit=7&cursor=9", "")
            #expect(listed.status == 200)
            let query = try #require(server.desk.queries.withLock { $0.last })
            #expect(query.subject == .deliveries("ops", state: .failed))
            #expect(query.limit == 7 && query.cursor == "9")
            let wrong = try await server.send(
                "GET", Self.path + "/ops/deliveries?state=lost", "")
            #expect(wrong.status == 400)
            let gone = try await server.send("DELETE", Self.path + "/x", "")
            #expect(gone.status == 404)
        }
    }

    @Test func changesNeedTheirScopeAndTheWholeInstallation() {
        let routes = RouteTable.alertEndpoints(AlertEndpointRoutes(FakeDesk()))
        #expect(routes.count == 13)
        for route in routes {
            #expect(route.reach == .installation)
            #expect(route.scope == (route.method == .GET ? .readUsage : .writeAlerts))
        }
    }
}
