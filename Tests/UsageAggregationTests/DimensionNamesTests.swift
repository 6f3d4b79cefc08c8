import MeteringModel
import Testing
import UsageAggregation

@Suite("Room for sets of dimension values")
struct DimensionNamesTests {
    private static let key = KeyHash(k0: 1, k1: 2)
    private let meter = DimensionNames.Meter(index: 0, key: "tokens", groupsMax: 2)

    private func insert(
        _ number: Int, month: Int32 = 1, into names: inout DimensionNames,
        meter: DimensionNames.Meter
    ) -> String {
        let hash = UInt64(number) << 32 | UInt64(month)
        if let known = names.known(hash) { return names.text(known) }
        let number = names.insert(
            meter, month: month, hash: hash, values: [(name: "model", value: "m\(number)")])
        return names.text(number)
    }

    @Test func furtherSetsOfAMonthCountTogether() {
        var names = DimensionNames(key: Self.key)
        let texts = [0, 1, 2, 3, 1, 2].map { insert($0, into: &names, meter: meter) }
        let other = #"{"model":"__other__"}"#
        #expect(
            texts == [
                #"{"model":"m0"}"#, #"{"model":"m1"}"#, other, other, #"{"model":"m1"}"#, other,
            ])
        let overflows = names.sets.takeOverflows()
        #expect(overflows == [DimensionSets.Place(meter: "tokens", month: 1): 3])
        let none = names.sets.takeOverflows()
        #expect(none.isEmpty)
    }

    @Test func everyMonthAndMeterHasRoomOfItsOwn() {
        var names = DimensionNames(key: Self.key)
        for number in 0..<3 { _ = insert(number, into: &names, meter: meter) }
        let next = insert(2, month: 2, into: &names, meter: meter)
        #expect(next == #"{"model":"m2"}"#)
        let other = DimensionNames.Meter(index: 1, key: "other", groupsMax: 1)
        let apart = names.insert(other, month: 1, hash: 9, values: [(name: "a", value: "x")])
        let text = names.text(apart)
        #expect(text == #"{"a":"x"}"#)
    }

    /// However the stream is cut into batches and processes, the same sets are kept apart.
    @Test(arguments: 1...5)
    func whatIsDecidedDoesNotDependOnBatches(_ seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        let stream = (0..<200).map { _ in
            (number: Int(random.next() % 12), month: Int32(random.next() % 3))
        }.sorted { $0.month < $1.month }
        let wide = DimensionNames.Meter(index: 0, key: "tokens", groupsMax: 5)
        var whole = DimensionNames(key: Self.key)
        let expected = stream.map {
            insert($0.number, month: $0.month, into: &whole, meter: wide)
        }
        var stored: Set<DimensionNames.New> = []
        var names = DimensionNames(key: Self.key)
        var found: [String] = []
        for (number, month) in stream {
            found.append(insert(number, month: month, into: &names, meter: wide))
            for number in 0..<Int32(20) where isInUse(number, names) {
                if let new = names.new(number) { stored.insert(new) }
            }
            if random.next() % 10 == 0 { names.removeAll() }
            if random.next() % 25 == 0 {
                names = DimensionNames(key: Self.key)
                for new in stored { names.sets.restore(new.hash, at: new.place) }
            }
        }
        #expect(found == expected, "seed \(seed)")
        #expect(stored.count == 15, "seed \(seed)")
    }

    private func isInUse(_ number: Int32, _ names: borrowing DimensionNames) -> Bool {
        names.new(number) != nil
    }

    @Test func oldMonthsAreForgotten() {
        var sets = DimensionSets()
        let place = DimensionSets.Place(meter: "tokens", month: 3)
        _ = sets.admit(1, at: place, groupsMax: 1)
        sets.removeAll(before: 3)
        #expect(!sets.admit(2, at: place, groupsMax: 1).isKept)
        sets.removeAll(before: 4)
        #expect(sets.admit(2, at: place, groupsMax: 1).isNew)
    }
}
