import MeteringModel
import MeteringPorts
import Signals
import Testing

@Suite("The list of signals, and what people do about them") struct DeskTests {
    /// Nothing before it, so nothing to compare with.
    private let november = "2026-11-01T00:00:00Z"

    private func scene() throws -> Scene {
        let scene = try Scene(
            RuleTests.catalog,
            [
                Buyer(id: "acme", owner: "kim", start: november),
                Buyer(id: "below", parent: "acme", start: november),
                Buyer(id: "other", plan: "strict", start: november),
            ], now: "2026-11-21T10:00:00Z")
        try scene.useDaily("acme", from: "2026-11-10", days: 1) { _ in 850 }
        try scene.useDaily("other", from: "2026-11-10", days: 1) { _ in 970 }
        return scene
    }

    private func items(
        _ service: SignalService, _ query: SignalQuery
    ) async throws -> [JSONValue] {
        try await service.list(query).body["items"]?.elements ?? []
    }

    private func ids(
        _ service: SignalService, state: SignalQuery.State = .open, owner: String? = nil
    ) async throws -> [String] {
        try await items(
            service,
            SignalQuery(kind: .nearLimit, owner: owner, state: state, principal: .local)
        ).compactMap { $0["id"]?.text }
    }

    private func act(
        _ service: SignalService, _ action: SignalCommand.Action, _ id: String,
        _ body: [String: JSONValue] = [:], key: String? = nil, as principal: Principal = .local
    ) async throws -> JSONValue {
        try await service.act(
            SignalCommand(
                action: action, id: id, body: .object(body),
                context: CommandContext(
                    principal: principal, requestID: "r", idempotencyKey: key, reason: "call"),
                digest: "d")
        ).body
    }

    private func problem(_ body: () async throws -> Void) async -> ControlProblem? {
        do { try await body() } catch { return error as? ControlProblem }
        return nil
    }

    @Test("acknowledged ones leave the list, and come back when they get worse")
    func acknowledge() async throws {
        let scene = try scene()
        let service = scene.service()
        await service.drain()
        let before = try await ids(service)
        #expect(before.count == 2)
        let acme = try #require(
            try await items(
                service, SignalQuery(kind: .nearLimit, customer: "acme", principal: .local)
            ).first?["id"]?
            .text)
        let answer = try await act(service, .acknowledge, acme)
        #expect(answer["state"]?.text == "acknowledged")
        #expect(answer["acknowledged"]?["by"]?.text == "local")
        #expect(try await ids(service) == before.filter { $0 != acme })
        #expect(try await ids(service, state: .all) == before)
        // Low at 85 %, medium at 92 %: worse than what was seen.
        try scene.useDaily("acme", from: "2026-11-20", days: 1) { _ in 70 }
        _ = try await service.refresh("acme", .local)
        #expect(try await ids(service).contains(acme))
        #expect(scene.records.changes.map(\.actor) == ["local"])
        #expect(scene.records.changes.first?.reason == "call")
        #expect(scene.records.changes.first?.document?["told"]?.text?.contains("850") ?? false)
    }

    @Test("snoozed until an instant, or until the next threshold") func snooze() async throws {
        let scene = try scene()
        let service = scene.service()
        await service.drain()
        let acme = try #require(
            try await items(
                service, SignalQuery(kind: .nearLimit, customer: "acme", principal: .local)
            ).first?["id"]?
            .text)
        _ = try await act(service, .snooze, acme, ["until": .string("2026-11-22T00:00:00Z")])
        #expect(try await !ids(service).contains(acme))
        try scene.set("2026-11-22T00:00:00Z")
        #expect(try await ids(service).contains(acme))
        _ = try await act(service, .snooze, acme, ["until": .string("next_threshold")])
        // 100 % is next: 95 % is worse than it was, but not yet there.
        try scene.useDaily("acme", from: "2026-11-21", days: 1) { _ in 100 }
        _ = try await service.refresh("acme", .local)
        #expect(try await !ids(service).contains(acme))
        try scene.useDaily("acme", from: "2026-11-21", days: 1) { _ in 50 }
        _ = try await service.refresh("acme", .local)
        #expect(try await ids(service).contains(acme))
        for until in ["2026-11-01T00:00:00Z", "tomorrow"] {
            let found = await problem {
                _ = try await act(service, .snooze, acme, ["until": .string(until)])
            }
            #expect(found?.code == "invalid_until")
        }
        let other = try #require(
            try await items(
                service, SignalQuery(kind: .nearLimit, customer: "other", principal: .local)
            ).first?[
                "id"]?
                .text)
        let none = await problem {
            _ = try await act(service, .snooze, other, ["until": .string("next_threshold")])
        }
        #expect(none?.code == "no_threshold")
    }

    @Test("assigned owners stand before the customer's own; notes add up") func work() async throws
    {
        let scene = try scene()
        let service = scene.service()
        await service.drain()
        let acme = try #require(try await ids(service, owner: "kim").first)
        _ = try await act(service, .assign, acme, ["owner": .string("lee")])
        #expect(try await ids(service, owner: "kim").isEmpty)
        #expect(try await ids(service, owner: "lee") == [acme])
        _ = try await act(service, .note, acme, ["text": .string("Called them.")], key: "k1")
        _ = try await act(service, .note, acme, ["text": .string("Called them.")], key: "k1")
        let answer = try await act(service, .note, acme, ["text": .string("Wants business.")])
        #expect(answer["notes"]?.elements?.count == 2)
        _ = try await act(service, .assign, acme, ["owner": .null])
        #expect(try await ids(service, owner: "kim") == [acme])
        // All of it is there again after a restart.
        let next = scene.service()
        await next.drain()
        let again = try await next.signal(acme, .local).body
        #expect(
            again["notes"]?.elements?.compactMap { $0["text"]?.text }
                == ["Called them.", "Wants business."])
    }

    @Test("bad bodies are refused with what to send instead") func refusals() async throws {
        let scene = try scene()
        let service = scene.service()
        await service.drain()
        let id = try #require(try await ids(service).first)
        let cases: [(SignalCommand.Action, [String: JSONValue], String)] = [
            (.note, [:], "invalid_text"), (.note, ["text": .string("")], "invalid_text"),
            (.note, ["text": .string("a\u{0}b")], "invalid_text"),
            (.assign, ["owner": .integer(3)], "invalid_owner"),
            (.assign, ["name": .string("kim")], "unknown_member"),
            (.acknowledge, ["until": .string("x")], "unknown_member"),
            (.snooze, [:], "invalid_until"),
        ]
        for (action, body, code) in cases {
            let found = await problem { _ = try await act(service, action, id, body) }
            #expect(found?.code == code, "\(action) \(body)")
        }
        let unknown = await problem { _ = try await act(service, .acknowledge, "near-limit-0") }
        #expect(unknown?.kind == .notFound)
        let cursor = await problem {
            _ = try await service.list(SignalQuery(cursor: "x", principal: .local))
        }
        #expect(cursor?.code == "invalid_cursor")
        #expect(scene.records.changes.isEmpty)
    }

    @Test("a bound key sees and names its tree only") func tree() async throws {
        let scene = try scene()
        let service = scene.service()
        await service.drain()
        let bound = Principal(id: "k", scopes: [.readUsage, .writeLimits], customer: "acme")
        let seen = try await items(service, SignalQuery(principal: bound))
        #expect(Set(seen.compactMap { $0["customer"]?.text }) == ["acme"])
        let other = try #require(
            try await items(
                service, SignalQuery(kind: .nearLimit, customer: "other", principal: .local)
            ).first?[
                "id"]?
                .text)
        for body in [
            { _ = try await service.signal(other, bound) },
            { _ = try await act(service, .acknowledge, other, as: bound) },
        ] as [() async throws -> Void] {
            #expect(await problem(body)?.kind == .notFound)
        }
        for body in [
            { _ = try await service.refresh("other", bound) },
            { _ = try await service.refresh(nil, bound) },
            { _ = try await service.list(SignalQuery(customer: "other", principal: bound)) },
        ] as [() async throws -> Void] {
            #expect(await problem(body)?.kind == .forbidden)
        }
        _ = try await service.refresh("below", bound)
    }

    @Test("pages meet without gaps or repeats, largest score first") func pages() async throws {
        let buyers = (0..<23).map { Buyer(id: "c\($0)") }
        let scene = try Scene(RuleTests.catalog, buyers, now: "2026-11-21T10:00:00Z")
        for index in buyers.indices {
            try scene.useDaily("c\(index)", from: "2026-11-10", days: 1) { _ in
                800 + Int64(index / 2) * 40
            }
        }
        let service = scene.service()
        await service.drain()
        var seen: [JSONValue] = []
        var cursor: String?
        repeat {
            let page = try await service.list(
                SignalQuery(kind: .nearLimit, cursor: cursor, limit: 4, principal: .local)
            ).body
            seen += page["items"]?.elements ?? []
            cursor = page["next"]?.text
        } while cursor != nil
        let scores = seen.compactMap { $0["score"]?.integer }
        #expect(scores == scores.sorted(by: >))
        #expect(Set(seen.compactMap { $0["id"]?.text }).count == 23 && seen.count == 23)
    }

    @Test("what is new is told once: over restarts, and after an outbox that was down")
    func told() async throws {
        let scene = try Scene(
            RuleTests.catalog, [Buyer(id: "over", plan: "free")], now: "2026-11-20T10:00:00Z")
        try scene.useDaily("over", from: "2026-11-15", days: 1) { _ in 1_250 }
        scene.outbox.setBroken(true)
        let service = scene.service()
        await service.drain()
        #expect(scene.outbox.notifications.isEmpty)
        scene.outbox.setBroken(false)
        await service.drain()
        await service.drain()
        #expect(scene.outbox.notifications.map(\.type) == ["usage.leakage"])
        #expect(scene.outbox.offeredCount == 1)
        let next = scene.service()
        await next.drain()
        #expect(scene.outbox.notifications.count == 1)
        #expect(scene.outbox.notifications.first?.id.hasPrefix("leakage-") ?? false)
    }

    @Test("later sweeps look at who is due, and drop what is over") func sweeps() async throws {
        let scene = try scene()
        let service = scene.service()
        await service.drain()
        let first = try await ids(service)
        #expect(first.count == 2)
        // A new month: what was used counts no more.
        try scene.set("2026-12-02T10:00:00Z")
        await service.drain()
        #expect(
            try await items(
                service, SignalQuery(kind: .nearLimit, state: .all, principal: .local)
            ).isEmpty)
        let facts = Dictionary(
            uniqueKeysWithValues: await service.details.map { ($0.name, $0.value) })
        #expect(facts["signals_failed"] == 0 && facts["signals_waiting"] == 0)
    }

    @Test("the list keeps to its bound, and lets the least go") func bound() async throws {
        let buyers = (0..<12).map { Buyer(id: "c\($0)", start: november) }
        let scene = try Scene(RuleTests.catalog, buyers, now: "2026-11-21T10:00:00Z")
        for index in buyers.indices {
            try scene.useDaily("c\(index)", from: "2026-11-10", days: 1) { _ in
                800 + Int64(index) * 100
            }
        }
        var settings = SignalSettings()
        settings.signalCountMax = 10
        let service = scene.service(settings)
        await service.drain()
        let kept = try await items(service, SignalQuery(limit: 100, principal: .local))
        let customers = kept.compactMap { $0["customer"]?.text }
        #expect(customers.count <= 10)
        #expect(!customers.contains("c0") && customers.contains("c11"))
    }
}
