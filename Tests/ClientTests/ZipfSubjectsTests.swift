import Testing

@testable import tollgate

@Suite("Zipf subjects") struct ZipfSubjectsTests {
    @Test("the same on every machine") func pinned() throws {
        let zipf = try #require(ZipfSubjects(count: 50))
        #expect((1...3).map { zipf.subject(row: $0) } == ["key_3", "key_5", zipf.subject(row: 3)])
        var counts = [Int](repeating: 0, count: 51)
        for row in 1...8_819 { counts[zipf.rank(row: row)] += 1 }
        #expect(counts[1] == 2_409)
        #expect(counts[2] == 1_119)
        #expect(counts[50] == 25)
        #expect(counts.reduce(0, +) == 8_819)
    }

    @Test("busy few, quiet many, nobody left out", arguments: [1, 2, 10, 1_000])
    func shape(count: Int) throws {
        let zipf = try #require(ZipfSubjects(count: count))
        var counts = [Int](repeating: 0, count: count + 1)
        for row in 1...200_000 { counts[zipf.rank(row: row)] += 1 }
        #expect(counts[0] == 0)
        #expect(counts.dropFirst().allSatisfy { $0 > 0 })
        #expect(counts.dropFirst().max() == counts[1])
    }

    @Test func onlyItsOwnForm() {
        #expect(ZipfSubjects("zipf:50") != nil)
        #expect(ZipfSubjects("zipf:\(ZipfSubjects.countMax)") != nil)
        for text in ["zipf", "zipf:", "zipf:0", "zipf:-1", "zipf:1000001", "zip:5", "zipf:5:6"] {
            #expect(ZipfSubjects(text) == nil)
        }
    }
}
