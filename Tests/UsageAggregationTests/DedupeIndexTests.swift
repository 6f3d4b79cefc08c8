import MeteringModel
import Testing
import UsageAggregation

@Suite struct DedupeIndexTests {
    private func at(_ day: Double) -> Timestamp {
        Timestamp(microseconds: Int64(day * 86_400_000_000))
    }

    @Test func tellsFirstDuplicateAndConflictApart() {
        var index = DedupeIndex(windowSeconds: 86_400)
        func see(_ fingerprint: UInt64, _ content: UInt64, _ offset: Int64, _ partition: Int32 = 0)
            -> DedupeIndex.Verdict
        {
            let mark = DedupeIndex.mark(content: content, offset: offset)
            return index.observe(fingerprint, mark: mark, partition: partition, at: at(0))
        }
        let first = see(7, 1, 10)
        let again = see(7, 1, 11)
        let other = see(7, 2, 12)
        let itself = see(7, 1, 10)
        let elsewhere = see(7, 1, 10, 3)
        #expect(first == .first && itself == .first)
        #expect(again == .duplicate && elsewhere == .duplicate)
        #expect(other == .conflict)
        let count = index.count
        #expect(count == 1)
    }

    @Test func zeroFingerprintsAndManyIdentitiesAreKept() {
        var index = DedupeIndex(windowSeconds: 86_400)
        var duplicates = 0
        for round in 0..<2 {
            for number in 0..<20_000 {
                let mark = DedupeIndex.mark(content: 1, offset: Int64(round * 20_000 + number))
                let fingerprint = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
                let verdict = index.observe(fingerprint, mark: mark, partition: 0, at: at(0))
                if verdict == .duplicate { duplicates += 1 }
            }
        }
        #expect(duplicates == 20_000)
        let count = index.count
        #expect(count == 20_000)
    }

    @Test func remembersForTheWindowAndForgetsAfterFiveQuarters() {
        var index = DedupeIndex(windowSeconds: 4 * 86_400)
        let early = DedupeIndex.mark(content: 1, offset: 1)
        _ = index.observe(1, mark: early, partition: 0, at: at(0))
        for day in 1...4 {
            let mark = DedupeIndex.mark(content: 1, offset: Int64(100 + day))
            _ = index.observe(UInt64(100 + day), mark: mark, partition: 0, at: at(Double(day)))
        }
        let inside = index.observe(
            1, mark: DedupeIndex.mark(content: 1, offset: 2), partition: 0, at: at(4))
        #expect(inside == .duplicate)
        for day in 5...9 {
            let mark = DedupeIndex.mark(content: 1, offset: Int64(100 + day))
            _ = index.observe(UInt64(100 + day), mark: mark, partition: 0, at: at(Double(day)))
        }
        let outside = index.observe(
            1, mark: DedupeIndex.mark(content: 1, offset: 3), partition: 0, at: at(9))
        #expect(outside == .first)
    }

    @Test func forgottenMarksMayComeAgain() {
        var index = DedupeIndex(windowSeconds: 86_400)
        let mark = DedupeIndex.mark(content: 1, offset: 5)
        _ = index.observe(9, mark: mark, partition: 2, at: at(0))
        index.forget(9, mark: mark, partition: 2)
        let verdict = index.observe(
            9, mark: DedupeIndex.mark(content: 1, offset: 6), partition: 1, at: at(0))
        #expect(verdict == .first)
    }

    @Test func restoredMarksAreDuplicatesElsewhere() {
        var index = DedupeIndex(windowSeconds: 86_400)
        index.restore(
            3, mark: DedupeIndex.mark(content: 1, offset: 5), partition: 0, at: at(0))
        let itself = index.observe(
            3, mark: DedupeIndex.mark(content: 1, offset: 5), partition: 0, at: at(0))
        let other = index.observe(
            3, mark: DedupeIndex.mark(content: 1, offset: 6), partition: 0, at: at(0))
        #expect(itself == .first && other == .duplicate)
    }
}
