import Logging
import MeteringModel
import MeteringPorts
import SQLAlerts
import Synchronization
import Testing

@testable import Alerting

@Suite("Topic feed") struct TopicTests {
    private final class Topic: TopicProducing {
        struct Broken: Error {}
        private let state = Mutex<(records: [TopicRecord], failures: Int)>(([], 0))
        var ids: [String] { state.withLock { $0.records.map(\.id) } }
        func fail(times: Int) { state.withLock { $0.failures = times } }
        func produce(_ records: [TopicRecord], to topic: String) async throws {
            try state.withLock { state in
                if state.failures > 0 {
                    state.failures -= 1
                    throw Broken()
                }
                state.records += records
            }
        }
    }

    @Test("old marked crossings once, then the feed in order, across failures and restarts")
    func carries() async throws {
        let directory = try TemporaryDirectory()
        let feed = MemoryFeed()
        let topic = Topic()
        let marked = Mutex<[StoredCrossing]>([])
        for number in 0..<4 { feed.append(.reached, at: start, crossing("c\(number)")) }
        marked.withLock { $0 = feed.all.suffix(2).map(\.crossing) }
        var store = try SQLAlerts(path: directory.file("alerts.db"))
        func make() -> TopicFeed {
            TopicFeed(
                topic: "t", producing: topic,
                crossings: feed.feed,
                marked: MarkedCrossings(
                    undelivered: { limit in marked.withLock { Array($0.prefix(limit)) } },
                    markDelivered: { sequences in
                        marked.withLock { $0.removeAll { sequences.contains($0.sequence) } }
                    }),
                store: store, clock: TestClock().clock, logger: Logger(label: "test"))
        }
        var carrier = make()
        while try await carrier.pump() {}
        #expect(topic.ids == [crossing("c2").id, crossing("c3").id])
        feed.append(.resolved, ordinal: 2, at: start, crossing("c0"))
        feed.append(.reached, at: start, crossing("c4"))
        topic.fail(times: 1)
        await #expect(throws: Topic.Broken.self) { try await carrier.pump() }
        store.close()
        store = try SQLAlerts(path: directory.file("alerts.db"))
        carrier = make()
        while try await carrier.pump() {}
        while try await carrier.pump() {}
        #expect(
            topic.ids == [
                crossing("c2").id, crossing("c3").id, crossing("c0").id + "-2", crossing("c4").id,
            ])
        store.close()
    }
}
