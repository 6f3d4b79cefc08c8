import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@Suite("Routes of signals and shadow plans") struct SignalRouteTests {
    @Test func listsAreAskedForAsTheQuerySays() async throws {
        try await Harness.run { server in
            let reply = try await server.send(
                "GET",
                "/v1/signals?kind=upsell&customer=acme&owner=kim&plan=pro&state=all"
                    + "&min_severity=high&limit=7&cursor=80.x")
            #expect(reply.status == 200)
            let query = try #require(server.signals.queries.withLock { $0.last })
            #expect(query.kind == .upsell && query.customer == "acme" && query.owner == "kim")
            #expect(query.plan == "pro" && query.state == .all && query.severityMin == .high)
            #expect(query.limit == 7 && query.cursor == "80.x")
            for (target, word) in [
                ("kind=other", "near_limit"), ("min_severity=2", "critical"),
                ("state=closed", "open"), ("limit=0", "1000"), ("colour=red", "kind"),
            ] {
                let refused = try await server.send("GET", "/v1/signals?\(target)")
                #expect(refused.status == 400)
                #expect(refused.body.contains(word), "\(target)")
            }
            #expect(try await server.send("GET", "/v1/signals/gone").status == 404)
        }
    }

    @Test func actionsCarryBodyReasonAndKey() async throws {
        try await Harness.run { server in
            for (action, body) in [
                ("acknowledge", ""), ("snooze", #"{"until":"next_threshold"}"#),
                ("assign", #"{"owner":"kim"}"#), ("note", #"{"text":"called","reason":"why"}"#),
            ] {
                let reply = try await server.send(
                    "POST", "/v1/signals/near-limit-1/\(action)", body,
                    headers: [("Idempotency-Key", "k-\(action)")])
                #expect(reply.status == 200, "\(action)")
            }
            let commands = server.signals.commands.withLock { $0 }
            #expect(commands.map(\.action) == [.acknowledge, .snooze, .assign, .note])
            #expect(commands.map(\.id) == Array(repeating: "near-limit-1", count: 4))
            #expect(commands.last?.context.reason == "why")
            #expect(commands.last?.body == .object(["text": .string("called")]))
            #expect(commands.last?.context.idempotencyKey == "k-note")
            #expect(Set(commands.map(\.digest)).count == 4)
            _ = try await server.send("POST", "/v1/signals/refresh?customer=acme")
            _ = try await server.send("POST", "/v1/signals/refresh")
            #expect(server.signals.refreshed.withLock { $0 } == ["acme", nil])
        }
    }

    @Test func draftsAreScoredOrRefusedWithTheirPlaces() async throws {
        try await Harness.run { server in
            let path = "/v1/simulations?from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z"
            let yaml = [("Content-Type", "application/yaml")]
            let reply = try await server.send("POST", path + "&limit=5", "plans: []", headers: yaml)
            #expect(reply.status == 200)
            let query = try #require(server.simulation.queries.withLock { $0.last })
            #expect(query.limit == 5 && query.customer == nil)
            let bad = try await server.send("POST", path, "bad", headers: yaml)
            #expect(bad.status == 422)
            #expect(bad.body.contains("\"line\":3") && bad.body.contains("no such plan"))
            for (target, body) in [
                ("/v1/simulations", "plans: []"), (path, ""), (path + "&limit=501", "plans: []"),
            ] {
                #expect(try await server.send("POST", target, body, headers: yaml).status == 400)
            }
        }
    }
}
