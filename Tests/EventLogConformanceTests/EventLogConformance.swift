import KafkaClient
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

/// What every event log owes its users, whichever it is.
@Suite struct EventLogConformance {
    @Test(arguments: EventLogKind.allCases)
    func appendAnswersWithIncreasingPositions(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        let first = try await writer.append((0..<5).map { LogAppend("a\($0)") })
        let second = try await writer.append((0..<5).map { LogAppend("b\($0)") })
        let positions = first + second
        #expect(positions.count == 10)
        #expect(Set(positions.map(\.partition)).count == 1)
        #expect(positions.map(\.offset) == positions.map(\.offset).sorted())
        #expect(Set(positions).count == 10)
        await writer.close()
    }

    @Test(arguments: EventLogKind.allCases)
    func appendingNothingIsNothing(_ kind: EventLogKind) async throws {
        let writer = try kind.makeFixture().makeWriter()
        #expect(try await writer.append([]).isEmpty)
        await writer.close()
    }

    @Test(arguments: EventLogKind.allCases)
    func everythingAppendedIsReadOnceInOrderPerKey(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        var appended: [LogPosition: String] = [:]
        for round in 0..<10 {
            let texts = (0..<50).map { "\($0 % 7):\(round * 50 + $0)" }
            let batch = texts.enumerated().map { LogAppend($1, key: "key\($0 % 7)") }
            let positions = try await writer.append(batch)
            for (position, text) in zip(positions, texts) { appended[position] = text }
        }
        await writer.close()
        let seen = try await records(from: fixture, count: 500)
        #expect(seen.count == 500)
        #expect(Dictionary(seen.map { ($0.position, $0.text) }) { first, _ in first } == appended)
        for key in 0..<7 {
            let numbers = seen.map(\.text).filter { $0.hasPrefix("\(key):") }
                .compactMap { Int($0.dropFirst(2)) }
            #expect(numbers == numbers.sorted())
        }
    }

    @Test(arguments: EventLogKind.allCases)
    func readingStartsWhereTheDelegateSays(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        let positions = try await writer.append((0..<10).map { LogAppend("\($0)") })
        await writer.close()
        let start = positions[6]
        let book = PositionBook([start.partition: start.offset])
        let seen = try await records(from: fixture, count: 4, book: book)
        #expect(seen.map(\.text) == ["6", "7", "8", "9"])
    }

    @Test(arguments: EventLogKind.allCases)
    func headersAndEmptyValuesComeBackAsTheyWere(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        var headers: [UInt8] = []
        FlatHeaders.append(name: "ce_type", value: "request", to: &headers)
        FlatHeaders.append(name: "ce_subject", value: "grün-東京", to: &headers)
        FlatHeaders.append(name: "empty", value: "", to: &headers)
        FlatHeaders.append(name: Array("null".utf8), value: nil, to: &headers)
        FlatHeaders.append(
            name: "long", value: String(repeating: "x", count: 5_000), to: &headers)
        _ = try await writer.append([
            LogAppend(key: "a", headers: headers, value: [1, 0, 255]),
            LogAppend(key: "a", headers: [], value: []),
        ])
        await writer.close()
        let seen = try await records(from: fixture, count: 2)
        #expect(seen.map(\.headers) == [headers, []])
        #expect(seen.map(\.value) == [[1, 0, 255], []])
        #expect(seen.map(\.isNull) == [false, false])
    }

    @Test(arguments: EventLogKind.allCases)
    func valuesOfAMegabytePass(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        let large = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        _ = try await writer.append([
            LogAppend(key: "a", value: large), LogAppend(key: "a", value: large.reversed()),
        ])
        await writer.close()
        let seen = try await records(from: fixture, count: 2)
        #expect(seen.map(\.value) == [large, large.reversed()])
    }

    @Test(arguments: EventLogKind.allCases)
    func concurrentAppendsAreAllThere(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        let appended = try await withThrowingTaskGroup { group in
            for task in 0..<20 {
                group.addTask {
                    var texts: [LogPosition: String] = [:]
                    for round in 0..<5 {
                        let text = "\(task)/\(round)"
                        let positions = try await writer.append([LogAppend(text, key: text)])
                        for position in positions { texts[position] = text }
                    }
                    return texts
                }
            }
            return try await group.reduce(into: [LogPosition: String]()) {
                $0.merge($1) { first, _ in first }
            }
        }
        await writer.close()
        #expect(appended.count == 100)
        let seen = try await records(from: fixture, count: 100)
        #expect(seen.count == 100)
        #expect(Dictionary(seen.map { ($0.position, $0.text) }) { first, _ in first } == appended)
    }

    @Test(arguments: EventLogKind.allCases)
    func whatIsAppendedWhileReadingIsRead(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        let journey = Journey()
        let ends = Mutex<[Int32: Int64]>([:])
        async let reading: Void = read(from: fixture, journey: journey) { reader in
            let known = (try? reader.endOffsets()) ?? [:]
            ends.withLock { $0 = known }
            return journey.records.count >= 6
        }
        var positions: [LogPosition] = []
        for number in 0..<6 {
            positions += try await writer.append([LogAppend("\(number)")])
            try await Task.sleep(for: .milliseconds(20))
        }
        try await reading
        await writer.close()
        #expect(journey.records.map(\.text) == (0..<6).map { "\($0)" })
        let last = try #require(positions.last)
        #expect(ends.withLock { $0[last.partition] } == last.offset + 1)
    }

    @Test(arguments: EventLogKind.allCases)
    func closingTwiceIsFineAndAppendingAfterwardsIsNot(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        _ = try await writer.append([LogAppend("a")])
        await writer.close()
        await writer.close()
        let error = await eventLogError { try await writer.append([LogAppend("b")]) }
        #expect(error?.code == .closed)
        #expect(error?.outcome == .notAppended)
    }

    @Test(arguments: EventLogKind.allCases)
    func aClosedReaderRefusesToRead(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let code = try await OwnedThread.run { () -> Result<EventLogError.Code?, any Error> in
            Result {
                let reader = try fixture.makeReader()
                let keeper = BookKeeper("reader", PositionBook(), Journey())
                reader.assignmentDelegate = keeper
                return withExtendedLifetime(keeper) {
                    reader.close()
                    reader.close()
                    do throws(EventLogError) {
                        _ = try reader.poll(maxRecords: 1, timeoutMilliseconds: 0) { _, _, _ in }
                        return nil
                    } catch {
                        return error.code
                    }
                }
            }
        }.get()
        #expect(code == .closed)
    }

    @Test(arguments: EventLogKind.allCases)
    func theDelegateHearsOfPartitionsFirstAndOfTheirLossLast(_ kind: EventLogKind) async throws {
        let fixture = try kind.makeFixture()
        let writer = try fixture.makeWriter()
        _ = try await writer.append([LogAppend("a")])
        await writer.close()
        let journey = Journey()
        try await read(from: fixture, journey: journey) { _ in !journey.records.isEmpty }
        let steps = journey.steps
        guard case .assigned(_, let assigned) = steps.first,
            case .revoked(_, let revoked, isLost: false) = steps.last
        else {
            Issue.record("wrong order: \(steps)")
            return
        }
        #expect(assigned == revoked)
        #expect(steps.count == 3)
    }
}
