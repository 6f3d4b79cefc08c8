import MeteringModel
import Testing

@Suite struct UsageStateTests {
    /// However a stream of events is cut and shuffled, the merged state is the same.
    @Test(arguments: Aggregation.allCases)
    func mergingForgetsOrderAndCuts(aggregation: Aggregation) {
        var random = SeededGenerator(state: 42)
        for _ in 0..<40 {
            let events = (0..<200).map { _ in
                UsageState.one(
                    aggregation, value: .random(in: -50...50, using: &random),
                    at: .random(in: 0...30, using: &random),
                    member: .random(in: 0...90, using: &random))
            }
            var whole = UsageState()
            for event in events { whole.merge(event, aggregation) }
            var parts = [UsageState](repeating: UsageState(), count: 7)
            for event in events.shuffled(using: &random) {
                parts[Int.random(in: 0..<7, using: &random)].merge(event, aggregation)
            }
            var merged = UsageState()
            for part in parts { merged.merge(part, aggregation) }
            #expect(merged == whole)
        }
    }

    @Test func readingsAreWhatTheNamesSay() {
        func reading(_ aggregation: Aggregation, _ values: [Int64]) -> Int64 {
            var state = UsageState()
            for (index, value) in values.enumerated() {
                let member = UInt64(bitPattern: value)
                let event = UsageState.one(
                    aggregation, value: value, at: Int64(index), member: member)
                state.merge(event, aggregation)
            }
            return state.reading(aggregation)
        }
        let values: [Int64] = [4, -7, 9, 4, 2]
        #expect(reading(.count, values) == 5)
        #expect(reading(.sum, values) == 12)
        #expect(reading(.max, values) == 9)
        #expect(reading(.min, values) == -7)
        #expect(reading(.latest, values) == 2)
        #expect(reading(.unique, values) == 4)
        #expect(reading(.avg, values) == 2)
        #expect(reading(.avg, [1, 2]) == 2 && reading(.avg, [-1, -2]) == -2)
        #expect(reading(.avg, [1, 1, 2]) == 1)
        #expect(reading(.avg, []) == 0 && reading(.max, []) == 0)
    }

    @Test func aSumThatOverflowsChangesNothing() {
        var state = UsageState.one(.sum, value: .max, at: 0)
        let before = state
        let isMerged = state.merge(.one(.sum, value: 1, at: 1), .sum)
        #expect(!isMerged)
        #expect(state == before)
    }

    @Test func distinctCountsAreExactThenClose() throws {
        var random = SeededGenerator(state: 8)
        var sketch = DistinctSketch()
        var left = DistinctSketch()
        var right = DistinctSketch()
        for number in 1...50_000 {
            let member = random.next()
            for _ in 0..<2 { sketch.insert(member) }
            if number % 3 == 0 { left.insert(member) } else { right.insert(member) }
            if number <= DistinctSketch.exactBound { #expect(sketch.estimate == Int64(number)) }
            if [5_000, 20_000, 50_000].contains(number) {
                let error = abs(Double(sketch.estimate) / Double(number) - 1)
                #expect(error < 0.05, "\(number): \(sketch.estimate)")
            }
            if number == 3_000 || number == 50_000 {
                #expect(DistinctSketch(encoded: sketch.encoded) == sketch)
            }
        }
        left.merge(right)
        #expect(left == sketch)
        #expect(DistinctSketch(encoded: []) == nil)
        #expect(DistinctSketch(encoded: [0, 1]) == nil && DistinctSketch(encoded: [2]) == nil)
    }

    /// Key 00…0f, messages 00 01 02 … of each length; computed by another implementation, whose
    /// SipHash-2-4 gives the value printed in the paper.
    @Test(arguments: [
        (0, 0xabac_0158_050f_c4dc), (1, 0xc9f4_9bf3_7d57_ca93), (7, 0xd392_7d98_9bb1_1140),
        (8, 0x3690_9511_8d29_9a8e), (15, 0xd320_d86d_2a51_9956), (16, 0xcc4f_dd1a_7d90_8b66),
        (33, 0x4d54_b9e5_7a8f_f9bf) as (Int, UInt64),
    ])
    func hashesAreSipHash13(count: Int, expected: UInt64) {
        let key = KeyHash(k0: 0x0706_0504_0302_0100, k1: 0x0f0e_0d0c_0b0a_0908)
        let message = (0..<count).map { UInt8($0) }
        // SAFETY: bytes are plain data; the array lives for the call.
        #expect(unsafe key.hash(message.span.bytes) == expected)
    }

    @Test func hashesDependOnTheKeyAndOnWhereTextsEnd() {
        let key = KeyHash(k0: 3, k1: 4)
        #expect(key.hash("ab", "c") != key.hash("a", "bc"))
        #expect(key.hash("abc") != KeyHash(k0: 1, k1: 2).hash("abc"))
    }
}
