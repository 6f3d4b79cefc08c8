import Foundation
import MeteringModel
import MeteringPorts
import SQLAlerts
import Testing

private let now = Timestamp(seconds: 1_800_000_000)

private final class Fixture {
    let path = NSTemporaryDirectory() + "/tollgate-alert-store-" + UUID().uuidString
    var store: SQLAlerts

    init(options: SQLAlerts.Options = .init()) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        store = try SQLAlerts(path: path + "/alerts.db", options: options)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func reopen() throws {
        store.close()
        store = try SQLAlerts(path: path + "/alerts.db")
    }

    func take(_ ids: [String], to endpoints: [String], cursor: Int64? = nil) throws {
        let items = ids.map {
            AlertBatch.Item(
                message: AlertMessage(id: $0, type: "t", customer: "acme", at: now, body: "{}"),
                endpoints: endpoints)
        }
        let place = cursor.map { FeedCursor(sequence: $0, mark: "m\($0)") }
        try store.take(
            AlertBatch(items: items, feed: place == nil ? nil : "f", cursor: place, at: now))
    }

    func outcome(
        _ endpoint: String, _ sequence: Int64, _ state: AlertDelivery.State, id: String = "x",
        endpointState: EndpointState = EndpointState(), at: Timestamp = now
    ) -> AttemptOutcome {
        AttemptOutcome(
            attempt: AlertAttempt(
                endpoint: endpoint, id: id, at: at, durationMilliseconds: 5, status: 500,
                detail: "answered 500"),
            sequences: [sequence], state: state, endpoint: endpointState)
    }
}

@Suite("Alert store") struct StoreTests {
    @Test("a known message is passed over; the cursor moves all the same") func known() throws {
        let fixture = try Fixture()
        try fixture.take(["a", "b"], to: ["one"], cursor: 2)
        try fixture.take(["b", "c"], to: ["one", "two"], cursor: 3)
        try fixture.reopen()
        #expect(
            try fixture.store.waiting("one", limit: 10).map(\.message.id) == ["a", "b", "c"])
        #expect(try fixture.store.waiting("two", limit: 10).map(\.message.id) == ["c"])
        #expect(try fixture.store.cursor(of: "f") == FeedCursor(sequence: 3, mark: "m3"))
        #expect(try fixture.store.cursor(of: "g") == nil)
    }

    @Test("ids that look alike are two, as their bytes are") func bytes() throws {
        let fixture = try Fixture()
        try fixture.take(["\u{E9}", "e\u{301}"], to: ["one"])
        #expect(try fixture.store.waiting("one", limit: 10).count == 2)
    }

    @Test("outcomes end deliveries, keep the endpoint's state, and are logged") func outcomes()
        throws
    {
        let fixture = try Fixture()
        try fixture.take(["a", "b"], to: ["one"])
        let waiting = try fixture.store.waiting("one", limit: 10)
        let failing = EndpointState(
            failingSince: now, failureCount: 1, nextAttemptAt: now.adding(seconds: 5))
        try fixture.store.record([
            fixture.outcome("one", waiting[0].sequence, .waiting, id: "a", endpointState: failing)
        ])
        #expect(try fixture.store.lines().first?.state == failing)
        #expect(try fixture.store.waiting("one", limit: 1).first?.attemptCount == 1)
        try fixture.store.record([
            fixture.outcome("one", waiting[0].sequence, .delivered, id: "a"),
            fixture.outcome("one", waiting[1].sequence, .failed, id: "b"),
        ])
        #expect(try fixture.store.lines().isEmpty)
        #expect(try fixture.store.attempts("one", message: "a", limit: 10).count == 2)
        #expect(
            try fixture.store.deliveries("one", state: .failed, before: nil, limit: 10).count == 1)
        let latest = try fixture.store.deliveries("one", state: nil, before: nil, limit: 1)
        #expect(latest.first?.message.id == "b")
        let earlier = try fixture.store.deliveries(
            "one", state: nil, before: latest.first?.sequence, limit: 10)
        #expect(earlier.map(\.message.id) == ["a"])
        // An outcome for what was cancelled meanwhile changes nothing of it.
        try fixture.take(["c"], to: ["one"])
        let last = try #require(try fixture.store.waiting("one", limit: 1).first)
        try fixture.store.cancel("one", at: now)
        try fixture.store.record([fixture.outcome("one", last.sequence, .delivered)])
        #expect(try fixture.store.delivery("one", message: "c")?.state == .cancelled)
    }

    @Test("settling: the opposite cancels, what is due joins the line, the unwanted goes")
    func settling() throws {
        let fixture = try Fixture()
        func hold(_ id: String, _ endpoint: String, due: Int64, isWanted: Bool = true) throws {
            let message = AlertMessage(id: id, type: "t", at: now, body: "{}")
            try fixture.store.take(
                AlertBatch(
                    items: [
                        .init(
                            message: message,
                            settling: [
                                .init(
                                    endpoint: endpoint, subject: "s",
                                    due: now.adding(seconds: due), isWanted: isWanted)
                            ])
                    ], at: now))
        }
        try hold("s-2", "one", due: 60)
        try hold("s-3", "one", due: 70)
        #expect(try fixture.store.nextSettling() == nil)
        try hold("s-4", "one", due: 80)
        try hold("s-5", "two", due: 90, isWanted: false)
        #expect(try fixture.store.nextSettling() == now.adding(seconds: 80))
        try fixture.reopen()
        #expect(try fixture.store.settle(at: now.adding(seconds: 79), limit: 10) == 0)
        #expect(try fixture.store.settle(at: now.adding(seconds: 100), limit: 10) == 1)
        #expect(try fixture.store.waiting("one", limit: 10).map(\.message.id) == ["s-4"])
        #expect(try fixture.store.lines().count == 1)
    }

    @Test("sent again: at the end of the line, not twice") func requeue() throws {
        let fixture = try Fixture()
        try fixture.take(["a", "b", "c"], to: ["one"])
        let first = try fixture.store.waiting("one", limit: 2)
        try fixture.store.record(first.map { fixture.outcome("one", $0.sequence, .delivered) })
        let later = now.adding(seconds: 60)
        #expect(
            try fixture.store.requeue("one", ["b", "a", "c", "none"], asked: later, at: later) == 2)
        #expect(
            try fixture.store.waiting("one", limit: 10).map(\.message.id) == ["c", "b", "a"])
        let waiting = try fixture.store.waiting("one", limit: 10)
        try fixture.store.record(waiting.map { fixture.outcome("one", $0.sequence, .delivered) })
        // The same request repeated later: what it had added is not added again.
        let evenLater = now.adding(seconds: 120)
        #expect(try fixture.store.requeue("one", ["b", "a"], asked: later, at: evenLater) == 0)
        #expect(
            try fixture.store.messages(from: now, to: later, after: 0, limit: 10).map(\.id)
                == ["a", "b", "c"])
        #expect(try fixture.store.messages(from: later, to: evenLater, after: 0, limit: 10).isEmpty)
    }

    @Test("secrets: the newest first, one before it for a while, none older") func secrets() throws
    {
        let fixture = try Fixture()
        for number in 1...3 {
            try fixture.store.addSecret(
                "one", SealedSecret(sealed: [UInt8(number)], createdAt: now),
                othersUntil: now.adding(seconds: Int64(number)))
        }
        let secrets = try fixture.store.secrets(of: "one")
        #expect(secrets.map(\.sealed) == [[3], [2]])
        #expect(secrets.map(\.expiresAt) == [nil, now.adding(seconds: 3)])
        #expect(try fixture.store.secrets(of: "two").isEmpty)
        try fixture.store.putSealedAddress("r", [7])
        #expect(try fixture.store.sealedAddress("r") == [7])
        #expect(try fixture.store.sealedAddress("q") == nil)
    }

    @Test("bounds: attempts kept, finished messages forgotten, waiting ones never") func bounds()
        throws
    {
        var options = SQLAlerts.Options()
        options.attemptsKept = 5
        let fixture = try Fixture(options: options)
        try fixture.take(["a", "b"], to: ["one"])
        try fixture.take(["c"], to: [])
        let first = try #require(try fixture.store.waiting("one", limit: 1).first)
        for number in 0..<20 {
            try fixture.store.record([
                fixture.outcome(
                    "one", first.sequence, number == 19 ? .delivered : .waiting, id: "a",
                    at: now.adding(seconds: Int64(number)))
            ])
        }
        let attempts = try fixture.store.attempts("one", message: "a", limit: 100)
        #expect(attempts.count == 5)
        #expect(attempts.first?.at == now.adding(seconds: 19))
        try fixture.store.prune(before: now)
        #expect(try fixture.store.message("a") != nil)
        try fixture.store.prune(before: now.adding(seconds: 1))
        #expect(try fixture.store.message("a") == nil && fixture.store.message("c") == nil)
        #expect(try fixture.store.attempts("one", message: "a", limit: 100).isEmpty)
        #expect(try fixture.store.waiting("one", limit: 10).map(\.message.id) == ["b"])
        let statistics = try fixture.store.statistics()
        #expect(statistics.waitingCount == 1 && statistics.oldestQueuedAt == now)
    }

    @Test("one process at a time, and a closed store says so") func exclusive() throws {
        let fixture = try Fixture()
        #expect(throws: LedgerError.self) { try SQLAlerts(path: fixture.path + "/alerts.db") }
        fixture.store.close()
        #expect(throws: LedgerError.self) { try fixture.store.lines() }
        #expect(throws: LedgerError.self) { try fixture.take(["a"], to: []) }
        try fixture.reopen()
    }

    @Test("a full disk changes nothing, and says what to do") func full() throws {
        var options = SQLAlerts.Options()
        options.databaseBytesMax = 200_000
        let fixture = try Fixture(options: options)
        var count: Int64 = 0
        do {
            while count < 10_000 {
                try fixture.take((0..<20).map { "\(count)-\($0)" }, to: ["one"], cursor: count + 1)
                count += 1
            }
            Issue.record("never full")
        } catch let error as LedgerError {
            #expect(error.code == .full)
        }
        #expect(try fixture.store.cursor(of: "f")?.sequence == count)
        #expect(try fixture.store.lines().first?.waitingCount == Int(count) * 20)
    }
}
