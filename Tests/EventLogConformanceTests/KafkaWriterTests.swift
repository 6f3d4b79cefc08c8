import KafkaClient
import KafkaEventLog
import MeteringPorts
import Testing

@Suite struct KafkaWriterTests {
    @Test func anUnreachableLogSaysSoInTime() async throws {
        // Port 1 of this host: nobody listens there.
        let writer = try KafkaEventWriter(
            brokers: "127.0.0.1:1", topic: "usage", properties: ["delivery.timeout.ms": "1000"])
        let error = await eventLogError { try await writer.append([LogAppend("a")]) }
        #expect(error?.code == .unreachable)
        #expect(error?.isRetriable == true)
        #expect(error?.outcome == .notAppended)
        await writer.close()
    }

    @Test func aBrokerThatWasAwayIsWaitedFor() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter()
        _ = try await writer.append([LogAppend("a")])
        try fixture.cluster.takeDown()
        async let late = writer.append([LogAppend("b")])
        try await Task.sleep(for: .milliseconds(500))
        try fixture.cluster.bringUp()
        #expect(try await late.map(\.offset) == [1])
        await writer.close()
        #expect(try await fixture.replayed().map(\.text) == ["a", "b"])
    }

    /// The broker stores a batch and its answer comes too late: the retry stores it once more,
    /// since the mock has no sequence check. The same ids twice are what dedupe is for.
    @Test func aLostAcknowledgementMakesADuplicate() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter([
            "socket.timeout.ms": "1000", "delivery.timeout.ms": "20000",
        ])
        _ = try await writer.append([LogAppend("warm")])
        try fixture.cluster.setRoundTrip(milliseconds: 20_000)
        async let late = writer.append([LogAppend("twice")])
        // librdkafka looks for requests that took longer than a second once a second.
        try await Task.sleep(for: .milliseconds(3_000))
        try fixture.cluster.setRoundTrip(milliseconds: 0)
        _ = try await late
        await writer.close()
        let seen = try await fixture.replayed().map(\.text)
        #expect(seen == ["warm", "twice", "twice"])
    }

    @Test func anAcknowledgementThatNeverComesLeavesTheOutcomeUnknown() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter(["delivery.timeout.ms": "1500"])
        _ = try await writer.append([LogAppend("warm")])
        try fixture.cluster.setRoundTrip(milliseconds: 5_000)
        let error = await eventLogError { try await writer.append([LogAppend("perhaps")]) }
        #expect(error?.code == .unreachable)
        #expect(error?.outcome == .unknown)
        try fixture.cluster.setRoundTrip(milliseconds: 0)
        await writer.close()
    }

    @Test func aRecordThatIsTooLargeIsRefused() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter(["message.max.bytes": "2000"])
        let large = LogAppend(key: "a", value: [UInt8](repeating: 1, count: 3_000))
        let error = await eventLogError { try await writer.append([large]) }
        #expect(error?.code == .tooLarge)
        #expect(error?.isRetriable == false)
        #expect(error?.outcome == .notAppended)
        // One record before it went out all the same.
        let mixed = await eventLogError { try await writer.append([LogAppend("a"), large]) }
        #expect(mixed?.code == .tooLarge)
        #expect(mixed?.outcome == .unknown)
        fixture.cluster.failNext(.produce, with: [.messageTooLarge])
        let refused = await eventLogError { try await writer.append([LogAppend("b")]) }
        #expect(refused?.code == .tooLarge)
        await writer.close()
    }

    @Test func moreThanTheQueueTakesIsRefusedAsAWhole() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter([
            "queue.buffering.max.messages": "10", "delivery.timeout.ms": "1500",
        ])
        let batch = (0..<6).map { LogAppend("\($0)") }
        try fixture.cluster.takeDown()
        async let stuck = eventLogError { try await writer.append(batch) }
        // Whichever comes second finds no room: the bound is 9 of librdkafka's 10.
        let other = await eventLogError { try await writer.append(batch) }
        let codes = [await stuck?.code, other?.code]
        #expect(Set(codes) == [.unreachable, .overloaded])
        let tooMany = await eventLogError {
            try await writer.append((0..<10).map { LogAppend("\($0)") })
        }
        #expect(tooMany?.code == .tooLarge)
        await writer.close()
    }

    @Test func aClientThatFailsForGoodIsReplaced() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let producer = try fixture.makeProducer()
        _ = try await producer.produce([.init(key: "a", value: Array("before".utf8))])
        producer.failFatally()
        var after: [LogPosition]?
        for _ in 0..<200 where after == nil {
            do throws(EventLogError) {
                after = try await producer.produce([.init(key: "a", value: Array("after".utf8))])
            } catch {
                #expect(error.isRetriable)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(after?.count == 1)
        #expect(producer.replacementCount == 1)
        await producer.close()
        #expect(try await fixture.replayed().map(\.text) == ["before", "after"])
    }

    @Test func shortReplicasAreRetriedUntilTheTimeIsUp() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter(["retry.backoff.ms": "10"])
        fixture.cluster.failNext(.produce, with: [.notEnoughReplicas, .notEnoughReplicas])
        #expect(try await writer.append([LogAppend("a")]).map(\.offset) == [0])
        await writer.close()
    }

    @Test func keysGoWhereJavaWouldSendThem() async throws {
        let fixture = try KafkaFixture(partitions: 64)
        let writer = try fixture.makeKafkaWriter()
        // Kafka's own published murmur2 results.
        let hashes: [(String, Int32)] = [
            ("21", -973_932_308), ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
        ]
        for (key, hash) in hashes {
            let positions = try await writer.append([LogAppend("x", key: key)])
            #expect(positions.first?.partition == (hash & 0x7FFF_FFFF) % 64)
        }
        await writer.close()
    }

    @Test func headersThatBreakOffAreRefused() async throws {
        let fixture = try KafkaFixture(partitions: 1)
        let writer = try fixture.makeKafkaWriter()
        let error = await eventLogError {
            try await writer.append([LogAppend(key: "a", headers: [9, 0, 65], value: [1])])
        }
        #expect(error?.code == .misconfigured)
        #expect(error?.outcome == .notAppended)
        await writer.close()
    }

    @Test func propertiesThatBreakPromisesAreRefused() {
        for (name, value) in ["acks": "1", "enable.idempotence": "false", "linger.ms": "soon"] {
            let error = #expect(throws: EventLogError.self) {
                try KafkaEventWriter(
                    brokers: "127.0.0.1:1", topic: "usage", properties: [name: value])
            }
            #expect(error?.code == .misconfigured)
            #expect(error?.message.contains("\"\(name)\"") == true)
        }
    }
}
