import Foundation
import JournalEventLog
import MeteringModel
import MeteringPorts
import Testing

@Suite("The journal is read in order, from where its reader says")
struct JournalReaderTests {
    @Test func theDelegateSaysWhereToStart() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        _ = try await journal.append((0..<10).map { entry("\($0)") })
        let reader = try journal.makeReader()
        let start = StartAt(4)
        reader.assignmentDelegate = start
        #expect(start.calls == [])
        #expect(try reader.take(3).map(\.value) == ["4", "5", "6"])
        #expect(try reader.take(0).isEmpty)
        #expect(try reader.take().map(\.offset) == [7, 8, 9])
        #expect(try reader.take().isEmpty)
        reader.commitInformational([0: 10])
        #expect(try reader.endOffsets() == [0: 10])
        #expect(start.calls == ["assigned [0]"])
        reader.close()
        reader.close()
        #expect(start.calls == ["assigned [0]", "revoked [0] false"])
        #expect(await logError { try reader.take() }?.code == .closed)
        await journal.close()
    }

    @Test func theEndIsAPlaceToStartAndWhatIsBeyondIsNot() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        _ = try await journal.append([entry("a"), entry("b")])
        let atEnd = try journal.makeReader()
        let end = StartAt(2)
        atEnd.assignmentDelegate = end
        #expect(try atEnd.take().isEmpty)
        for wrong in [3, -1] as [Int64] {
            let reader = try journal.makeReader()
            let start = StartAt(wrong)
            reader.assignmentDelegate = start
            let error = await logError { try reader.take() }
            #expect(error?.code == .offsetOutOfRange)
            #expect(error?.message.contains("\(wrong)") == true)
            #expect(
                await logError { try reader.replay(from: wrong) { _, _, _ in } }?.code
                    == .offsetOutOfRange)
        }
        await journal.close()
    }

    @Test func anEmptyJournalHasNothingToReplay() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let reader = try journal.makeReader()
        #expect(try reader.all().isEmpty)
        #expect(try reader.take(timeoutMilliseconds: 1).isEmpty)
        #expect(try reader.endOffsets() == [0: 0])
        await journal.close()
    }

    @Test(.timeLimit(.minutes(1))) func aWaitingReaderIsWoken() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        async let read = onThread {
            // Far longer than the test may take: only being woken ends it in time.
            try journal.makeReader().take(timeoutMilliseconds: 600_000).map(\.value)
        }
        _ = try await journal.append([entry("a")])
        #expect(try await read == ["a"])
        await journal.close()
    }

    @Test(.timeLimit(.minutes(1))) func aReaderOfItsOwnSeesNewRecords() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let file = directory.file
        async let read = onThread {
            try JournalReader(path: file).take(timeoutMilliseconds: 600_000).map(\.value)
        }
        _ = try await journal.append([entry("a")])
        #expect(try await read == ["a"])
        await journal.close()
        // Also with nobody writing.
        #expect(try JournalReader(path: file).all().map(\.value) == ["a"])
    }

    @Test func replayCrossesItsOwnStepsAndLeavesThePositionAlone() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        _ = try await journal.append((0..<2_500).map { entry("\($0)") })
        let reader = try journal.makeReader()
        #expect(try reader.take(1).map(\.offset) == [0])
        #expect(try reader.all(from: 3).map(\.offset) == Array(3..<2_500))
        #expect(try reader.take(1).map(\.offset) == [1])
        await journal.close()
    }

    @Test func droppedRecordsAreGoneAndOffsetsGoOn() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        _ = try await journal.append((0..<3_000).map { entry("\($0)") })
        let lagging = try journal.makeReader()
        #expect(try lagging.take(1).map(\.offset) == [0])
        try await journal.dropRecords(before: 2_990)
        try await journal.dropRecords(before: 10)
        #expect(await logError { try lagging.take() }?.code == .offsetOutOfRange)
        let reader = try journal.makeReader()
        let early = await logError { try reader.replay(from: 2_989) { _, _, _ in } }
        #expect(early?.code == .offsetOutOfRange)
        #expect(early?.message.contains("dropped") == true)
        #expect(try reader.all(from: 2_990).count == 10)
        // The newest stays, however much is asked for: it holds the next offset.
        try await journal.dropRecords(before: .max)
        await journal.close()
        let again = try directory.open()
        #expect(try await again.append([entry("next")]).first?.offset == 3_000)
        #expect(try again.makeReader().all(from: 2_999).map(\.value) == ["2999", "next"])
        await again.close()
    }

    @Test func aFlippedBitIsNotHandedOver() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        _ = try await journal.append([entry("good"), entry("precious"), entry("after")])
        await journal.close()
        let url = URL(fileURLWithPath: directory.file)
        var bytes = try Data(contentsOf: url)
        let place = try #require(bytes.range(of: Data("precious".utf8)))
        bytes[place.lowerBound] ^= 0x01
        try bytes.write(to: url)
        let reader = try JournalReader(path: directory.file)
        var read: [String] = []
        let error = await logError {
            try reader.replay(from: 0) { read.append(JournalRecord($0, $1, $2).value) }
        }
        #expect(error?.code == .corrupt)
        #expect(error?.message.contains("record 1") == true)
        #expect(read == ["good"])
    }

    @Test func aFileThatIsNoJournalIsRefused() async throws {
        let directory = try JournalDirectory()
        #expect(await logError { try JournalReader(path: directory.file) }?.code == .misconfigured)
        try String(repeating: "no database ", count: 100).write(
            toFile: directory.file, atomically: true, encoding: .utf8)
        #expect(await logError { try JournalReader(path: directory.file) }?.code == .corrupt)
        #expect(await logError { try directory.open() }?.code == .corrupt)
    }
}

/// Runs blocking work on a thread that Swift's tasks do not need.
func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
