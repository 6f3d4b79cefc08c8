import KafkaClient
import KafkaEventLog
import MeteringPorts
import Synchronization
import Testing

@Suite struct KafkaReaderTests {
    @Test func recordsWithoutAValueAreMarked() async throws {
        let fixture = try KafkaFixture()
        let producer = try fixture.makeProducer()
        var headers: [UInt8] = []
        FlatHeaders.append(name: "ce_id", value: "1", to: &headers)
        _ = try await producer.produce([
            .init(key: "a", headers: headers, value: nil), .init(key: "a", value: [7]),
        ])
        await producer.close()
        let seen = try await records(from: fixture, count: 2)
        #expect(seen.map(\.isNull) == [true, false])
        #expect(seen.map(\.headers) == [headers, []])
        #expect(seen.map(\.value) == [[], [7]])
    }

    /// A second member takes partitions over: the first one has flushed before, and between them
    /// they read everything once.
    @Test func rebalanceHandsOverAfterTheRevocation() async throws {
        let fixture = try KafkaFixture(partitions: 4)
        let writer = try fixture.makeKafkaWriter()
        let journey = Journey()
        let book = PositionBook()
        _ = try await writer.append((0..<200).map { LogAppend("\($0)", key: "\($0)") })
        let isOver: @Sendable (any EventLogReader) -> Bool = { _ in
            journey.assignmentCount(of: "second") >= 1 && journey.records.count >= 400
        }
        async let first: Void = read(
            "first", from: fixture, book: book, journey: journey, isDone: isOver)
        while journey.records.count < 200 { try await Task.sleep(for: .milliseconds(20)) }
        async let second: Void = read(
            "second", from: fixture, book: book, journey: journey, isDone: isOver)
        while journey.assignmentCount(of: "second") < 1 {
            try await Task.sleep(for: .milliseconds(20))
        }
        _ = try await writer.append((200..<400).map { LogAppend("\($0)", key: "\($0)") })
        try await first
        try await second
        await writer.close()

        let steps = journey.steps
        #expect(journey.records.map { Int($0.text) ?? -1 }.sorted() == Array(0..<400))
        let revoked = try #require(
            steps.firstIndex {
                if case .revoked("first", _, isLost: false) = $0 { true } else { false }
            })
        let taken = try #require(
            steps.firstIndex { if case .assigned("second", _) = $0 { true } else { false } })
        #expect(revoked < taken)
        let firstReadBySecond = try #require(
            steps.firstIndex { if case .read("second", _) = $0 { true } else { false } })
        #expect(revoked < firstReadBySecond)
    }

    @Test func staysAwayFromAPositionBeyondTheEnd() async throws {
        let fixture = try KafkaFixture(partitions: 2)
        let writer = try fixture.makeKafkaWriter()
        let positions = try await writer.append((0..<40).map { LogAppend("\($0)", key: "\($0)") })
        await writer.close()
        let readableCount = positions.count { $0.partition == 1 }
        try #require(readableCount > 0 && readableCount < 40)
        let journey = Journey()
        try await read(from: fixture, book: PositionBook([0: 5_000]), journey: journey) { _ in
            journey.records.count >= readableCount && !journey.failures.isEmpty
        }
        #expect(journey.records.allSatisfy { $0.partition == 1 })
        #expect(journey.failures.map(\.code) == [.offsetOutOfRange])
        let message = try #require(journey.failures.first?.message)
        #expect(message.contains("Partition 0 of topic \"usage\""))
        #expect(message.contains("5000"))
    }

    /// The mock keeps 5 MiB per partition, which stands for retention.
    @Test func tellsAGapFromAFreshStart() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter(["compression.type": "none"])
        for number in 0..<9 {
            let value = [UInt8](repeating: UInt8(number), count: 1_000_000)
            _ = try await writer.append([LogAppend(key: "a", value: value)])
        }
        await writer.close()
        let fresh = try await records(from: fixture, count: 3)
        let low = try #require(fresh.first?.offset)
        #expect(low > 1)
        #expect(fresh.last?.offset == 8)

        let journey = Journey()
        try await read(from: fixture, book: PositionBook([0: 1]), journey: journey) { _ in
            !journey.failures.isEmpty
        }
        #expect(journey.records.isEmpty)
        #expect(journey.failures.map(\.code) == [.offsetOutOfRange])
        #expect(journey.failures.first?.message.contains("\(low - 1) records") == true)
    }

    @Test func aRefusingDelegateIsAskedAgain() async throws {
        let fixture = try KafkaFixture()
        let writer = try fixture.makeKafkaWriter()
        _ = try await writer.append([LogAppend("a"), LogAppend("b")])
        await writer.close()
        let journey = Journey()
        try await read(from: fixture, journey: journey, refusals: 2) { _ in
            journey.records.count >= 2
        }
        #expect(journey.failures.map(\.code) == [.unreachable, .unreachable])
        #expect(journey.records.map(\.text) == ["a", "b"])
    }

    @Test func aReaderThatDoesNotPollLosesItsPartitions() async throws {
        let fixture = try KafkaFixture()
        let writer = try fixture.makeKafkaWriter()
        _ = try await writer.append([LogAppend("a")])
        await writer.close()
        let journey = Journey()
        let variant = KafkaVariant(
            base: fixture, readerProperties: ["max.poll.interval.ms": "3000"])
        let hasSlept = Mutex(false)
        try await read(from: variant, journey: journey) { _ in
            if !journey.records.isEmpty, !hasSlept.withLock({ $0 }) {
                hasSlept.withLock { $0 = true }
                OwnedThread.pause(milliseconds: 4_500)
            }
            return journey.steps.contains {
                if case .revoked(_, _, isLost: true) = $0 { true } else { false }
            }
        }
        #expect(journey.records.map(\.text) == ["a"])
    }

    /// A broker may claim an offset to be out of range that it has after all.
    @Test func aFalseAlarmAboutAnOffsetSkipsAndRepeatsNothing() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter()
        _ = try await writer.append((0..<5).map { LogAppend("\($0)") })
        let journey = Journey()
        async let reading: Void = read(from: fixture, journey: journey) { _ in
            journey.records.count >= 10
        }
        while journey.records.count < 5 { try await Task.sleep(for: .milliseconds(20)) }
        fixture.cluster.failNext(.fetch, with: [.offsetOutOfRange])
        _ = try await writer.append((5..<10).map { LogAppend("\($0)") })
        try await reading
        await writer.close()
        #expect(journey.records.map(\.text) == (0..<10).map { "\($0)" })
        #expect(journey.failures.isEmpty)
    }

    @Test func aBrokerThatWasAwayIsWaitedFor() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter()
        _ = try await writer.append([LogAppend("before")])
        let journey = Journey()
        async let reading: Void = read(from: fixture, journey: journey) { _ in
            journey.records.count >= 2
        }
        while journey.records.isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        try fixture.cluster.takeDown()
        try await Task.sleep(for: .milliseconds(500))
        try fixture.cluster.bringUp()
        _ = try await writer.append([LogAppend("after")])
        try await reading
        await writer.close()
        #expect(journey.records.map(\.text) == ["before", "after"])
        #expect(journey.failures.isEmpty)
    }

    @Test func commitsAreThereForLagTools() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter()
        _ = try await writer.append((0..<5).map { LogAppend("\($0)") })
        await writer.close()
        let journey = Journey()
        try await read(from: fixture, journey: journey) { reader in
            guard journey.records.count >= 5 else { return false }
            // Partition 7 is not ours and must not be touched.
            reader.commitInformational([0: 5, 7: 1])
            return true
        }
        let committed = try await committedOffset(fixture.brokers)
        #expect(committed == 5)
    }

    /// Asks as a lag tool would, until there is an answer or ten seconds have passed.
    private func committedOffset(_ brokers: String) async throws -> Int64? {
        try await OwnedThread.run {
            Result {
                let tool = try KafkaConsumer(
                    topic: KafkaFixture.topic,
                    configuration: KafkaConfiguration([
                        "bootstrap.servers": brokers, "group.id": "tollgate",
                    ]))
                defer { tool.close() }
                for _ in 0..<100 {
                    let offsets = try tool.committedOffsets(of: [0], timeoutMilliseconds: 5_000)
                    if let offset = offsets[0] { return offset }
                    OwnedThread.pause(milliseconds: 100)
                }
                return nil
            }
        }.get()
    }

    @Test func replayReadsEverythingWithoutAGroup() async throws {
        let fixture = try KafkaFixture(partitions: 4)
        #expect(try await fixture.replayed().isEmpty)
        let writer = try fixture.makeKafkaWriter()
        let positions = try await writer.append((0..<300).map { LogAppend("\($0)", key: "\($0)") })
        await writer.close()
        let seen = try await fixture.replayed()
        #expect(Set(seen.map(\.position)) == Set(positions))
        #expect(seen.count == 300)
    }

    @Test func propertiesThatBreakPromisesAreRefused() {
        for (name, value) in [
            "auto.offset.reset": "latest", "enable.auto.commit": "true",
            "partition.assignment.strategy": "cooperative-sticky", "no.such.property": "1",
        ] {
            let error = #expect(throws: EventLogError.self) {
                try KafkaEventReader(
                    brokers: "127.0.0.1:1", topic: "usage", group: "g",
                    properties: [name: value])
            }
            #expect(error?.code == .misconfigured)
            #expect(error?.message.contains("\"\(name)\"") == true)
        }
    }
}
