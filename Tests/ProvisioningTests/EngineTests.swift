import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Synchronization
import Testing

@Suite("The control engine")
struct EngineTests {
    @Test func theSameKeyGivesTheSameAnswerAlsoAfterARestart() async throws {
        var plane = try await Harness.open()
        try await plane.makeCatalog()
        let body = #"{"id": "acme"}"#
        let first = try await plane.perform(.create(.customer), body, key: "k1")
        let revision = plane.store.revision
        let second = try await plane.perform(.create(.customer), body, key: "k1")
        #expect(second == first)
        #expect(second.status == 201)
        #expect(second.location == "/v1/customers/acme")
        #expect(plane.store.revision == revision)
        let other = await plane.problem(.create(.customer), #"{"id": "other"}"#, key: "k1")
        #expect(other?.kind == .conflict)
        #expect(other?.code == "idempotency_key_reused")

        plane = try await plane.reopened()
        plane.advance(seconds: 24 * 3_600 - 1)
        try plane.store.prune(now: plane.now)
        #expect(try await plane.perform(.create(.customer), body, key: "k1") == first)
        // Another caller has keys of its own.
        let neighbour = Principal(id: "key_2", scopes: [.admin])
        let theirs = await plane.problem(.create(.customer), body, key: "k1", by: neighbour)
        #expect(theirs?.code == "already_exists")
    }

    @Test func aRefusedCommandLeavesItsKeyFree() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let body = #"{"customer": "acme", "plan": "basic"}"#
        #expect(
            await plane.problem(.create(.subscription), body, key: "k")?.code == "unknown_customer")
        try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        #expect(try await plane.perform(.create(.subscription), body, key: "k").status == 201)
    }

    @Test func thePublisherIsDoneBeforeTheAnswer() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let seen = Mutex<[Publication]>([])
        let current = plane.engine.current
        await plane.engine.publish { publication in
            await Task.yield()
            current.replace(publication.snapshot)
            seen.withLock { $0.append(publication) }
            return Restatement(crossingsResolved: ["c1"])
        }
        try await plane.makeCustomer("acme")
        let publications = seen.withLock { $0 }
        #expect(publications.count == 2)
        let last = try #require(publications.last)
        #expect(last.since == Timestamp(rfc3339: "2026-03-01T00:00:00Z"))
        #expect(last.changed == [plane.snapshot.customerIndex("acme")])
        #expect(!last.definitionsChanged)
        #expect(plane.snapshot === last.snapshot)
        // What the publisher restated is in the answer, and in the stored answer.
        let body = #"{"plan": "pro"}"#
        let first = try await plane.perform(.patch(.subscription, "acme:suite"), body, key: "k")
        let restated = first.body["change"]?["restatement"]?["crossings_resolved"]
        #expect(restated == .array([.string("c1")]))
        #expect(
            try await plane.perform(.patch(.subscription, "acme:suite"), body, key: "k") == first)
        #expect(seen.withLock { $0.last?.since } == nil)
    }

    @Test(arguments: [
        (.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, "2026-03-05T00:00:00Z", "2026-03-05T00:00:00Z"),
        (.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, "2026-02-05T00:00:00Z", "2026-03-01T00:00:00Z"),
        (.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, nil, nil),
        (.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, "2026-04-05T00:00:00Z", nil),
        (.patch(.subscription, "acme:suite"), #"{"renewal": "manual"}"#, "2026-03-05T00:00:00Z", nil),
        (.patch(.subscription, "acme:suite"), #"{"start": "2026-02-10T00:00:00Z"}"#, "2026-01-01T00:00:00Z", "2026-02-10T00:00:00Z"),
        (.patch(.subscription, "acme:suite"), #"{"end": "2026-03-09T00:00:00Z"}"#, "2026-03-05T00:00:00Z", "2026-03-09T00:00:00Z"),
        (.delete(.subscription, "acme:suite"), "{}", "2026-03-07T00:00:00Z", "2026-03-07T00:00:00Z"),
        (.patch(.customer, "acme"), #"{"name": "A"}"#, "2026-03-05T00:00:00Z", nil),
        (.patch(.customer, "acme"), #"{"time_zone": "Europe/Berlin"}"#, "2026-03-05T00:00:00Z", "2026-03-05T00:00:00Z"),
        (.create(.override), #"{"customer": "acme", "feature": "sso", "value": true, "reason": "r"}"#, "2026-03-08T00:00:00Z", "2026-03-08T00:00:00Z"),
        (.create(.override), #"{"customer": "acme", "feature": "sso", "value": true, "reason": "r"}"#, nil, nil),
        (.revoke, #"{"customer": "acme", "product": "suite", "reason": "r"}"#, "2026-03-06T00:00:00Z", "2026-03-06T00:00:00Z"),
        (.create(.customer), #"{"id": "new"}"#, "2026-03-06T00:00:00Z", nil),
    ] as [(ControlCommand.Operation, String, String?, String?)])
    func knowsHowFarAChangeReachesBack(
        _ operation: ControlCommand.Operation, _ body: String, _ at: String?, _ since: String?
    ) async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let seen = Mutex<[Publication]>([])
        let current = plane.engine.current
        await plane.engine.publish { publication in
            current.replace(publication.snapshot)
            seen.withLock { $0.append(publication) }
            return Restatement()
        }
        let answer = try await plane.perform(operation, body, at: at)
        let expected = since.flatMap { Timestamp(rfc3339: $0) }
        #expect(seen.withLock { $0.first?.since } == expected)
        // Taking it back reaches as far.
        let request = try #require(answer.body["change"]?["request_id"]?.text)
        try await plane.perform(.undo(request))
        #expect(seen.withLock { $0.last?.since } == expected)
        #expect(seen.withLock { $0.count } == 2)
    }

    @Test func anEnvironmentGetsCountersWhenItIsAskedFor() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        await plane.engine.addTwin(of: "acme", .sandbox)
        await plane.engine.addTwin(of: "acme", .sandbox)
        await plane.engine.addTwin(of: "nobody", .sandbox)
        #expect(plane.right("acme#sandbox", "tokens") == "100/month")
        try await plane.makeCustomer("late")
        let twin = try #require(plane.snapshot.customerIndex("acme#sandbox"))
        #expect(plane.snapshot.customerIndex("late") != twin)
        try await plane.perform(.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#)
        #expect(plane.right("acme#sandbox", "tokens") == "1000/month")
    }

    @Test func aPublisherThatFailsLeavesSnapshotAndStoreTogether() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        await plane.engine.publish { _ in Restatement() }
        try await plane.makeCustomer("acme")
        #expect(plane.right("acme", "tokens") == "100/month")
        #expect(plane.snapshot.revision == plane.store.revision)
    }

    @Test func commandsRunOneAtATimeInTheirOrder() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        let running = Atomic<Int>(0)
        let current = plane.engine.current
        await plane.engine.publish { publication in
            #expect(running.add(1, ordering: .relaxed).newValue == 1)
            await Task.yield()
            current.replace(publication.snapshot)
            running.subtract(1, ordering: .relaxed)
            return Restatement()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask {
                    try await plane.perform(
                        .patch(.customer, "acme"), #"{"metadata": {"m\#(number)": "x"}}"#)
                }
            }
            try await group.waitForAll()
        }
        let acme = try await plane.read(.record(.customer, "acme"))
        #expect(acme.body["metadata"]?.object?.count == 40)
    }

    @Test func theFirstSnapshotIsTheStores() async throws {
        var plane = try await Harness.open()
        try await plane.makeCatalog()
        // Children come before their parents in the store's order.
        try await plane.perform(.create(.customer), #"{"id": "z"}"#)
        try await plane.perform(.create(.customer), #"{"id": "m", "parent": "z"}"#)
        try await plane.perform(.create(.customer), #"{"id": "a", "parent": "m"}"#)
        try await plane.perform(
            .create(.subscription), #"{"customer": "z", "plan": "pro"}"#)
        #expect(plane.right("a", "tokens") == "1000/month")
        plane = try await plane.reopened()
        #expect(plane.right("a", "tokens") == "1000/month")
        #expect(plane.snapshot.revision == plane.store.revision)
        // And a change of definitions compiles all of it anew, with the same numbers.
        let number = plane.snapshot.customerIndex("a")
        try await plane.perform(
            .create(.plan), #"{"key": "max", "product": "suite", "entitlements": {"sso": true}}"#)
        #expect(plane.snapshot.customerIndex("a") == number)
        #expect(plane.right("a", "tokens") == "1000/month")
    }

    @Test func takesInWhatAnotherEngineCommits() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let now = plane.now
        let other = try await ControlEngine.open(
            store: plane.store, hash: KeyHash(k0: 1, k1: 2), zone: Harness.zone,
            clock: WallClock { now }, logger: Logger(label: "other"))
        try await plane.makeCustomer("acme")
        try await plane.perform(.create(.meter), #"{"key": "m2", "event_type": "t", "aggregation": "count"}"#)
        try await plane.perform(.assignSeat("acme", "seats"), #"{"holder": "u1"}"#)
        let follower = Task { await other.follow(every: .milliseconds(1)) }
        while other.current.load().revision < plane.snapshot.revision
            || other.seats.seatsTaken("acme", "seats", at: now) == 0
        {
            await Task.yield()
        }
        follower.cancel()
        await follower.value
        #expect(Harness.right(other.current.load(), "acme", "tokens", at: now) == "100/month")
        #expect(other.current.load().meterIndex("m2") != nil)
        // A command against what the store was before is worked out anew.
        try await plane.makeCustomer("late")
        let context = CommandContext(principal: .local, requestID: "r")
        let answer = try await other.run(context, digest: "d") {
            (draft: inout ControlDraft) throws(ControlProblem) in
            try draft.patch(.customer, "late", .object(["name": .string("Late")]))
            return ControlAnswer(body: .object([:]))
        }
        #expect(answer.body["change"]?["changed"]?.integer == 1)
        #expect(Harness.right(other.current.load(), "late", "tokens", at: now) == "100/month")
    }

    @Test func wakesAtTheNextBoundary() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        try await plane.perform(
            .create(.subscription),
            #"{"customer": "acme", "plan": "pro", "trial_end": "2026-03-10T12:00:30Z"}"#)
        let seen = Mutex<[[Int]]>([])
        let watch = Task {
            await plane.engine.watchBoundaries(
                sleep: { _ in
                    try Task.checkCancellation()
                    // The clock jumps instead.
                    plane.advance(seconds: 10)
                    await Task.yield()
                },
                boundary: { customers, _ in seen.withLock { $0.append(customers) } })
        }
        while seen.withLock({ $0.isEmpty }) { await Task.yield() }
        watch.cancel()
        await watch.value
        #expect(seen.withLock { $0 } == [[try #require(plane.snapshot.customerIndex("acme"))]])
        #expect(plane.right("acme", "sso") == "expired")
    }

    @Test func theScheduleForgetsWhatAChangeMadeVoid() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        try await plane.perform(
            .patch(.subscription, "acme:suite"), #"{"end": "2026-03-12"}"#)
        try await plane.perform(.patch(.subscription, "acme:suite"), #"{"end": "2026-03-20"}"#)
        let schedule = plane.engine.schedule
        let early = Timestamp(rfc3339: "2026-03-15T00:00:00Z") ?? .distantPast
        #expect(schedule.due(at: early, of: plane.snapshot) == [])
        let late = Timestamp(rfc3339: "2026-03-21T00:00:00Z") ?? .distantPast
        #expect(schedule.due(at: late, of: plane.snapshot).count == 1)
        #expect(schedule.count == 0)
    }
}
