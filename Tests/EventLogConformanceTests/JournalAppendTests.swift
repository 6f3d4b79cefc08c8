import JournalEventLog
import MeteringModel
import MeteringPorts
import Testing

@Suite("The journal keeps what it has acknowledged")
struct JournalAppendTests {
    @Test func offsetsCountUpwardWithoutGaps() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        #expect(try await journal.append([]) == [])
        let first = try await journal.append([entry("a"), entry("b")])
        let second = try await journal.append([entry("c")])
        #expect(first.map(\.offset) == [0, 1])
        #expect(second == [LogPosition(partition: 0, offset: 2)])
        #expect(journal.endOffset == 3)
        await journal.close()
    }

    @Test func recordsSurviveAReopening() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        var headers: [UInt8] = []
        FlatHeaders.append(name: "ce_id", value: "1", to: &headers)
        _ = try await journal.append([
            LogAppend(key: "subject", headers: headers, value: [0, 255, 10]), entry(""),
        ])
        await journal.close()
        let again = try directory.open()
        #expect(again.endOffset == 2)
        #expect(try await again.append([entry("later")]).first?.offset == 2)
        let records = try again.makeReader().all()
        #expect(records.map(\.offset) == [0, 1, 2])
        #expect(records[0].headers == headers)
        #expect(records[1].value == "")
        #expect(records[2].value == "later")
        await again.close()
    }

    @Test func aHundredTasksShareCommitsAndKeepTheirOrder() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let perTask = 20
        let positions = try await withThrowingTaskGroup(of: [LogPosition].self) { group in
            for task in 0..<100 {
                group.addTask {
                    var mine: [LogPosition] = []
                    for number in 0..<perTask {
                        mine += try await journal.append([entry("\(task):\(number)")])
                    }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let offsets = positions.joined().map(\.offset)
        #expect(Set(offsets) == Set(0..<Int64(100 * perTask)))
        #expect(positions.allSatisfy { $0.map(\.offset) == $0.map(\.offset).sorted() })
        let records = try journal.makeReader().all()
        var next = [Int](repeating: 0, count: 100)
        for record in records {
            let parts = record.value.split(separator: ":").compactMap { Int($0) }
            #expect(next[parts[0]] == parts[1])
            next[parts[0]] += 1
        }
        #expect(next == [Int](repeating: perTask, count: 100))
        await journal.close()
    }
}
