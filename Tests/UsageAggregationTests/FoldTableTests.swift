import MeteringModel
import Testing
import UsageAggregation

@Suite struct FoldTableTests {
    private func key(_ customer: Int32, _ segment: Int64 = 0, _ dimensions: Int32 = 0) -> FoldKey {
        FoldKey(customer: customer, meter: 1, segmentStart: segment, dimensions: dimensions)
    }

    @Test func foldsLikeADictionaryAcrossGrowthAndReuse() {
        var table = FoldTable(minimumCapacity: 64)
        var random = SplitMix(state: 42)
        for _ in 0..<3 {
            var expected: [FoldKey: Int64] = [:]
            for _ in 0..<5_000 {
                let key = key(Int32(random.next() % 700), Int64(random.next() % 3) * 3_600)
                let value = Int64(random.next() % 1_000)
                expected[key, default: 0] += value
                let isAdded = table.add(
                    key, .sum, value: value, at: 0, member: 0, admitted: 0, admittedHere: 0,
                    isLate: false)
                #expect(isAdded)
            }
            let cells = table.cells
            #expect(cells.count == expected.count)
            #expect(cells.allSatisfy { expected[$0.key] == $0.state.value })
            table.removeAll()
            let isEmpty = table.isEmpty
            #expect(isEmpty)
            // A small batch in a large table takes the other way of clearing.
            _ = table.add(
                key(1), .sum, value: 1, at: 0, member: 0, admitted: 0, admittedHere: 0,
                isLate: false)
            table.removeAll()
        }
    }

    @Test func refusesWhatWouldOverflowAndKeepsTheRest() {
        var table = FoldTable()
        func add(_ value: Int64) -> Bool {
            table.add(
                key(1), .sum, value: value, at: 0, member: 0, admitted: 0, admittedHere: 0,
                isLate: false)
        }
        let first = add(.max)
        let second = add(1)
        #expect(first && !second)
        let cell = table.cells.first
        #expect(cell?.state.value == .max)
        #expect(cell?.state.count == 1)
    }

    @Test func keepsAdmittedAndLatePartsApart() {
        var table = FoldTable()
        _ = table.add(
            key(1), .count, value: 5, at: 0, member: 0, admitted: 5, admittedHere: 5, isLate: false)
        _ = table.add(
            key(1), .count, value: 2, at: 0, member: 0, admitted: 2, admittedHere: 0, isLate: false)
        _ = table.add(
            key(1), .count, value: 1, at: 0, member: 0, admitted: 0, admittedHere: 0, isLate: true)
        let cell = table.cells.first
        #expect(cell?.state.value == 8 && cell?.admitted == 7 && cell?.admittedHere == 5)
        #expect(cell?.lateCount == 1 && cell?.lateValue == 1)
    }
}

/// A small seeded generator (Steele, Lea and Flood 2014).
struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
