import Foundation
import JournalEventLog
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@Suite("The journal under faults and limits")
struct JournalFaultTests {
    @Test func timeNeverGoesBack() async throws {
        let directory = try JournalDirectory()
        let clock = JournalClock()
        let journal = try directory.open(clock: clock)
        for seconds in [100, 50, 200] as [Int64] {
            clock.set(seconds: seconds)
            _ = try await journal.append([entry("\(seconds)")])
        }
        await journal.close()
        clock.set(seconds: 1)
        let again = try directory.open(clock: clock)
        _ = try await again.append([entry("after a restart")])
        let times = try again.makeReader().all().map(\.appendedAt.seconds)
        #expect(times == [100, 100, 200, 200])
        await again.close()
    }

    @Test func aSecondOpenerIsRefused() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let error = await logError { try directory.open() }
        #expect(error?.code == .misconfigured)
        #expect(error?.message.contains("process \(getpid())") == true)
        await journal.close()
        let next = try directory.open()
        await next.close()
    }

    @Test func aClosedJournalTakesNothing() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        _ = try await journal.append([entry("a")])
        await journal.close()
        await journal.close()
        let error = await logError { try await journal.append([entry("b")]) }
        #expect(error?.code == .closed)
        #expect(error?.outcome == .notAppended)
        #expect(await logError { try await journal.dropRecords(before: 1) }?.code == .closed)
    }

    @Test func closingFinishesWhatIsQueued() async throws {
        let directory = try JournalDirectory()
        let gate = GatedClock()
        let journal = try EventJournal(path: directory.file, clock: gate.wallClock)
        async let first = journal.append([entry("a")])
        await gate.untilAsked()
        async let closed: Void = journal.close()
        gate.open()
        #expect(try await first.map(\.offset) == [0])
        await closed
    }

    @Test func tooLargeIsRefusedAtOnce() async throws {
        let directory = try JournalDirectory()
        var options = EventJournal.Options()
        options.recordBytesMax = 100
        options.queueBytesMax = 1_000
        let journal = try directory.open(options: options)
        let large = entry(String(repeating: "x", count: 100))
        #expect(await logError { try await journal.append([large]) }?.code == .tooLarge)
        let many = [LogAppend](repeating: entry("x"), count: 100)
        #expect(await logError { try await journal.append(many) }?.code == .tooLarge)
        #expect(journal.endOffset == 0)
        await journal.close()
    }

    @Test func aFullQueueRefusesUntilTheDiskHasCaughtUp() async throws {
        let directory = try JournalDirectory()
        var options = EventJournal.Options()
        options.queueBytesMax = 1_000
        let gate = GatedClock()
        let journal = try EventJournal(
            path: directory.file, clock: gate.wallClock, options: options)
        let large = entry(String(repeating: "x", count: 600))
        async let first = journal.append([large])
        // The journal's thread has taken the first append and stands in the clock.
        await gate.untilAsked()
        let error = await logError { try await journal.append([large]) }
        #expect(error?.code == .overloaded)
        #expect(error?.isRetriable == true)
        #expect(error?.outcome == .notAppended)
        gate.open()
        #expect(try await first.map(\.offset) == [0])
        #expect(try await journal.append([large]).map(\.offset) == [1])
        await journal.close()
    }

    @Test func groupsOfOneAreRightToo() async throws {
        let directory = try JournalDirectory()
        var options = EventJournal.Options()
        options.groupBytesMax = 1
        let journal = try directory.open(options: options)
        let offsets = try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 0..<20 {
                group.addTask { try await journal.append([entry("\(number)")])[0].offset }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(offsets == Set(0..<20))
        await journal.close()
    }

    @Test func aFullDiskIsSaidAndOverOnceThereIsRoom() async throws {
        let directory = try JournalDirectory()
        var options = EventJournal.Options()
        options.databaseBytesMax = 300_000
        let journal = try directory.open(options: options)
        let record = entry(String(repeating: "x", count: 10_000))
        var taken: Int64 = 0
        var refusal: EventLogError?
        while refusal == nil, taken < 100 {
            do {
                taken += Int64(try await journal.append([record, record]).count)
            } catch {
                refusal = error
            }
        }
        #expect(refusal?.code == .full)
        #expect(refusal?.outcome == .notAppended)
        #expect(refusal?.isRetriable == true)
        #expect(journal.endOffset == taken)
        try await journal.dropRecords(before: taken)
        #expect(try await journal.append([record]).first?.offset == taken)
        #expect(try journal.makeReader().all(from: taken - 1).map(\.offset) == [taken - 1, taken])
        await journal.close()
    }

    @Test func whatWasAcknowledgedSurvivesAKill() async throws {
        let directory = try JournalDirectory()
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
            try await appendUntilKilled(in: path)
        }
        let note = try String(contentsOfFile: directory.path + "/acknowledged", encoding: .utf8)
        let acknowledged = try #require(Int64(note))
        let journal = try directory.open()
        #expect(journal.endOffset >= acknowledged)
        let records = try journal.makeReader().all()
        #expect(records.map(\.offset) == Array(0..<journal.endOffset))
        // An append of two is there whole or not at all.
        #expect(records.count % 2 == 0)
        #expect(try await journal.append([entry("next")]).first?.offset == Int64(records.count))
        await journal.close()
    }
}

/// Eight tasks append pairs of records; after 200 acknowledged pairs the process kills itself while
/// others are under way.
private func appendUntilKilled(in path: String) async throws {
    let journal = try EventJournal(path: path + "/journal.db", clock: JournalClock().wallClock)
    let counter = AcknowledgedCounter(path: path)
    await withTaskGroup(of: Void.self) { group in
        for task in 0..<8 {
            group.addTask {
                for number in 0..<1_000 {
                    let records = [entry("\(task):\(number)"), entry("second")]
                    guard (try? await journal.append(records)) != nil else { return }
                    counter.add(2, killAt: 400)
                }
            }
        }
    }
}

private final class AcknowledgedCounter: Sendable {
    private let count = Mutex<Int>(0)
    private let path: String
    init(path: String) { self.path = path }

    func add(_ records: Int, killAt bound: Int) {
        count.withLock { count in
            count += records
            if count < bound { return }
            // Under the lock, so that the note is the last word.
            try? "\(count)".write(
                toFile: path + "/acknowledged", atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
    }
}

/// A clock that holds the journal's thread, which alone asks it, until it is opened.
final class GatedClock: Sendable {
    private let asked = AsyncStream.makeStream(of: Void.self)
    private let gate = DispatchSemaphore(value: 0)

    var wallClock: WallClock {
        WallClock { [self] in
            asked.continuation.yield()
            gate.wait()
            gate.signal()
            return Timestamp(seconds: 1_700_000_000)
        }
    }

    func untilAsked() async {
        for await _ in asked.stream { return }
    }

    func open() { gate.signal() }
}
