import LockFree
import Testing

@Suite struct CounterTableTests {
    private func state(_ value: Int64, window: Int64 = 100, flags: UInt8 = 0) -> CounterState {
        CounterState(window: window, flags: flags, value: value)
    }

    @Test func findsWhatWasInserted() {
        let table = CounterTable(minimumCapacity: 10)
        table.insert(7, meta: 70, state: state(700, window: -5, flags: 255))
        let reading = table.read(7)
        #expect(reading?.meta == 70)
        #expect(reading?.state == state(700, window: -5, flags: 255))
        #expect(table.read(8) == nil)
        #expect(table.update(8) { $0 } == .missing)
        #expect(table.count == 1)
    }

    @Test func insertReplacesEverything() {
        let table = CounterTable(minimumCapacity: 10)
        table.insert(7, meta: 1, state: state(1, window: 1, flags: 1))
        table.insert(7, meta: 2, state: state(2, window: 2, flags: 2))
        #expect(table.read(7)?.meta == 2)
        #expect(table.read(7)?.state == state(2, window: 2, flags: 2))
        #expect(table.count == 1)
    }

    @Test func updateChangesOrDeclines() {
        let table = CounterTable(minimumCapacity: 10)
        table.insert(7, meta: 0, state: state(5))
        #expect(table.update(7) { $0.with(value: $0.value - 2) } == .changed(state(3)))
        #expect(table.update(7) { _ in nil } == .kept(state(3)))
        #expect(table.read(7)?.state == state(3))
    }

    @Test func extremesSurviveTheCell() {
        let table = CounterTable(minimumCapacity: 10)
        for value in [Int64.min, -1, 0, 1, .max] {
            for window in [-CounterState.windowBound, -1, 0, 1, CounterState.windowBound] {
                for flags in [UInt8.min, 1, 128, .max] {
                    let wanted = state(value, window: window, flags: flags)
                    table.insert(1, meta: .max, state: wanted)
                    #expect(table.read(1)?.state == wanted)
                    #expect(table.read(1)?.meta == .max)
                }
            }
        }
        #expect(state(0, window: .max).window == CounterState.windowBound)
        #expect(state(0, window: .min).window == -CounterState.windowBound)
    }

    @Test func keysZeroAndMaxAreKeysLikeOthers() {
        let table = CounterTable(minimumCapacity: 10)
        #expect(table.read(0) == nil)
        #expect(!table.remove(0))
        table.insert(0, meta: 1, state: state(10))
        table.insert(.max, meta: 2, state: state(20))
        #expect(table.update(0) { $0.with(value: 11) } == .changed(state(11)))
        #expect(table.read(.max)?.state.value == 20)
        for key in 1...5_000 as ClosedRange<UInt64> {
            table.insert(key, meta: key, state: state(Int64(key)))
        }
        #expect(table.read(0)?.state.value == 11)
        #expect(table.read(.max)?.meta == 2)
        #expect(table.remove(0))
        #expect(table.read(0) == nil)
        #expect(table.count == 5_001)
    }

    @Test func removedKeysAreMissingUntilInsertedAgain() {
        let table = CounterTable(minimumCapacity: 10)
        table.insert(7, meta: 1, state: state(5))
        #expect(table.remove(7))
        #expect(!table.remove(7))
        #expect(table.read(7) == nil)
        #expect(table.update(7) { $0 } == .missing)
        #expect(!table.redefine(7, meta: 3) { $0 })
        #expect(table.count == 0)
        table.insert(7, meta: 2, state: state(6))
        #expect(table.read(7)?.meta == 2)
        #expect(table.read(7)?.state.value == 6)
        #expect(table.count == 1)
    }

    @Test func growthKeepsEveryCounter() {
        let table = CounterTable(minimumCapacity: 1)
        let before = table.bytesAllocated
        let count: UInt64 = 40_000
        for key in 1...count {
            table.insert(key, meta: key &* 3, state: state(Int64(key)))
            // A key from long ago, so that counters change between growths.
            _ = table.update(key / 2 + 1) { $0.with(value: $0.value + 1_000_000) }
        }
        var expected = [Int64](repeating: 0, count: Int(count) + 1)
        for key in 1...count {
            expected[Int(key)] = Int64(key)
            let other = Int(key / 2 + 1)
            if other <= Int(key) { expected[other] += 1_000_000 }
        }
        var wrong = 0
        for key in 1...count {
            let reading = table.read(key)
            let isRight =
                reading?.meta == key &* 3 && reading?.state.value == expected[Int(key)]
            if !isRight { wrong += 1 }
        }
        #expect(wrong == 0)
        #expect(table.count == Int(count))
        #expect(table.bytesAllocated > before)
        #expect(table.bytesAllocated <= Int(count) * 128)
    }

    @Test func reservedCapacityDoesNotGrow() {
        let table = CounterTable(minimumCapacity: 10_000)
        let before = table.bytesAllocated
        for key in 1...10_000 as ClosedRange<UInt64> {
            table.insert(key, meta: 0, state: state(1))
        }
        #expect(table.bytesAllocated == before)
    }

    @Test func senselessCapacitiesAreBroughtIntoRange() {
        for capacity in [Int.min, -1, 0, 1] {
            let table = CounterTable(minimumCapacity: capacity)
            table.insert(1, meta: 0, state: state(1))
            #expect(table.read(1)?.state.value == 1)
        }
    }

    /// Keys whose search begins at the same slot, at the array's end too, where it wraps around.
    @Test(arguments: [UInt64(0), 0x8000_0000_0000_0000, 0xffff_ffff_f000_0000])
    func collidingKeysStayApart(home: UInt64) {
        let keys = (1...80).map { collidingKey(home: home, index: UInt64($0)) }
        let table = CounterTable(minimumCapacity: 90)
        for (index, key) in keys.enumerated() {
            table.insert(key, meta: UInt64(index), state: state(Int64(index)))
        }
        for index in stride(from: 0, to: keys.count, by: 3) { table.remove(keys[index]) }
        for (index, key) in keys.enumerated() {
            #expect(table.read(key)?.meta == (index % 3 == 0 ? nil : UInt64(index)))
        }
        #expect(table.read(collidingKey(home: home, index: 99)) == nil)
    }

    /// Removed counters are forgotten by the next growth, so churn does not enlarge the table.
    @Test func churnDoesNotGrowTheTable() {
        let table = CounterTable(minimumCapacity: 1_000)
        let before = table.bytesAllocated
        for key in 1...100_000 as ClosedRange<UInt64> {
            table.insert(key, meta: key, state: state(Int64(key)))
            if key > 100 { table.remove(key - 100) }
        }
        #expect(table.count == 100)
        #expect(table.bytesAllocated == before)
        var wrong = 0
        for key in 1...100_000 as ClosedRange<UInt64> {
            let expected = key > 99_900 ? Int64(key) : nil
            if table.read(key)?.state.value != expected { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    /// Behaves as a dictionary does, under a seeded sequence of every operation.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func agreesWithADictionary(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let table = CounterTable(minimumCapacity: 1)
        var model: [UInt64: CounterTable.Reading] = [:]
        var disagreements = 0
        for _ in 0..<40_000 {
            let key = UInt64.random(in: 0..<900, using: &random)
            let value = Int64.random(in: .min ... .max, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                table.insert(key, meta: key, state: state(value))
                model[key] = table.read(key)
                if model[key]?.state.value != value { disagreements += 1 }
            case 3..<5:
                if table.remove(key) != (model.removeValue(forKey: key) != nil) {
                    disagreements += 1
                }
            case 5:
                let done = table.redefine(key, meta: 9) { $0.with(value: value) }
                if done != (model[key] != nil) { disagreements += 1 }
                if done { model[key] = table.read(key) }
                if done, model[key]?.meta != 9 { disagreements += 1 }
            case 6..<8:
                let update = table.update(key) { $0.with(value: value) }
                let expected: CounterTable.Update =
                    model[key].map { .changed($0.state.with(value: value)) } ?? .missing
                if update != expected { disagreements += 1 }
                if model[key] != nil { model[key] = table.read(key) }
            default:
                if table.read(key) != model[key] { disagreements += 1 }
            }
        }
        #expect(disagreements == 0)
        #expect(table.count == model.count)
    }
}

/// A key whose mixed form is `home` plus a small index: the table's multiplier, undone.
private func collidingKey(home: UInt64, index: UInt64) -> UInt64 {
    let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
    // Newton's iteration doubles the correct low bits of the inverse modulo 2^64 each time.
    var inverse = multiplier
    for _ in 0..<6 { inverse = inverse &* (2 &- multiplier &* inverse) }
    return (home &+ index) &* inverse
}
