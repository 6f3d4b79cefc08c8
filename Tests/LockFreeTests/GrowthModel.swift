/// The growth protocol of `CounterTable` for one key, as a state machine in which each step is one
/// atomic access. Two growths, so that there is a generation after the next one.
struct GrowthModel: Hashable {
    /// What the protocol must not leave out; the tests leave out one at a time.
    enum Flaw: CaseIterable {
        /// `current` is checked before `next` is read.
        case readsNextLast
        /// Settling takes a blank cell for a pending one.
        case settlesBlankCells
        /// A reader does not look at the key again after it has read the meta.
        case trustsMetaOfRetiredCells
    }

    enum Word: Hashable {
        case blank, pending
        case live(Int)
        case frozen(Int)
    }

    enum GrowerStep: Hashable {
        case name, publishNext, load
        case freeze(seen: Int)
        case settle(Int)
        case publishCurrent, vacate
    }

    enum OperationStep: Hashable {
        case begin
        case probe(Int)
        case load(Int)
        case swap(Int, seen: Int)
        case follow(Int, frozen: Int)
        case followSecond(Int, frozen: Int, first: Int)
        case probeSuccessor(Int, successor: Int, frozen: Int)
        case settle(successor: Int, frozen: Int)
        case recheck(Int)
        case readMeta(Int, value: Int)
        case readKeyAgain(Int, isRight: Bool)
        case taken, denied, missing, read, misread
    }

    static let generations = 3

    private(set) var hasKey = [true, false, false]
    private(set) var words: [Word]
    private(set) var current = 0
    private(set) var next = 0
    private(set) var growing = 0
    private(set) var grower = GrowerStep.name
    private(set) var takers: [OperationStep]
    private(set) var reader: OperationStep

    init(remaining: Int, takers: Int, hasReader: Bool) {
        words = [.live(remaining), .blank, .blank]
        self.takers = Array(repeating: .begin, count: takers)
        reader = hasReader ? .begin : .read
    }

    /// Every state that one atomic step of one thread leads to.
    func successors(flaw: Flaw?) -> [GrowthModel] {
        var all: [GrowthModel] = []
        if growing + 1 < Self.generations {
            var changed = self
            changed.stepGrower(flaw)
            all.append(changed)
        }
        for index in takers.indices {
            var changed = self
            changed.takers[index] = changed.step(takers[index], isTaker: true, flaw)
            if changed != self { all.append(changed) }
        }
        var changed = self
        changed.reader = changed.step(reader, isTaker: false, flaw)
        if changed != self { all.append(changed) }
        return all
    }

    private mutating func stepGrower(_ flaw: Flaw?) {
        let new = growing + 1
        switch grower {
        case .name:
            hasKey[new] = true
            words[new] = .pending
            grower = .publishNext
        case .publishNext:
            next = new
            grower = .load
        case .load:
            if case .live(let value) = words[growing] { grower = .freeze(seen: value) }
        case .freeze(let seen):
            guard words[growing] == .live(seen) else {
                grower = .load
                return
            }
            words[growing] = .frozen(seen)
            grower = .settle(seen)
        case .settle(let value):
            settle(new, value, flaw)
            grower = .publishCurrent
        case .publishCurrent:
            current = new
            grower = .vacate
        case .vacate:
            words[growing] = .blank
            hasKey[growing] = false
            growing = new
            grower = .name
        }
    }

    private mutating func settle(_ generation: Int, _ value: Int, _ flaw: Flaw?) {
        let isBlankTaken = flaw == .settlesBlankCells && words[generation] == .blank
        if words[generation] == .pending || isBlankTaken { words[generation] = .live(value) }
    }

    private mutating func step(
        _ step: OperationStep, isTaker: Bool, _ flaw: Flaw?
    ) -> OperationStep {
        switch step {
        case .begin: return .probe(current)
        case .probe(let mine): return hasKey[mine] ? .load(mine) : .recheck(mine)
        case .load(let mine):
            switch words[mine] {
            case .live(let value):
                return isTaker ? .swap(mine, seen: value) : .readMeta(mine, value: value)
            case .frozen(let value): return .follow(mine, frozen: value)
            case .blank, .pending: return .recheck(mine)
            }
        case .swap(let mine, let seen): return swap(mine, seen: seen)
        case .follow(let mine, let frozen):
            let first = flaw == .readsNextLast ? current : next
            return .followSecond(mine, frozen: frozen, first: first)
        case .followSecond(let mine, let frozen, let first):
            let successor = flaw == .readsNextLast ? next : first
            let latest = flaw == .readsNextLast ? first : current
            if latest != mine { return .probe(latest) }
            return .probeSuccessor(mine, successor: successor, frozen: frozen)
        case .probeSuccessor(let mine, let successor, let frozen):
            return hasKey[successor]
                ? .settle(successor: successor, frozen: frozen) : .probe(mine)
        case .settle(let successor, let frozen):
            settle(successor, frozen, flaw)
            return .probe(successor)
        case .recheck(let mine): return current == mine ? .missing : .probe(current)
        case .readMeta(let mine, _):
            // The meta is there exactly as long as the key: both go with the page.
            if flaw == .trustsMetaOfRetiredCells { return hasKey[mine] ? .read : .misread }
            return .readKeyAgain(mine, isRight: hasKey[mine])
        case .readKeyAgain(let mine, let isRight):
            guard hasKey[mine] else { return .begin }
            return isRight ? .read : .misread
        case .taken, .denied, .missing, .read, .misread: return step
        }
    }

    private mutating func swap(_ mine: Int, seen: Int) -> OperationStep {
        if seen < 1 { return .denied }
        switch words[mine] {
        case .live(seen):
            words[mine] = .live(seen - 1)
            return .taken
        case .live(let other): return .swap(mine, seen: other)
        case .blank, .pending, .frozen: return .begin
        }
    }

    /// What is wrong in a state without successors; nil when all is well.
    func complaint(initially remaining: Int) -> String? {
        if takers.contains(.missing) || reader == .missing { return "a live key was missing" }
        if reader == .misread { return "a reading had the meta of nobody" }
        let taken = takers.count { $0 == .taken }
        let denied = takers.count { $0 == .denied }
        if taken + denied != takers.count || reader != .read { return "an operation is stuck" }
        if taken != min(remaining, takers.count) { return "\(taken) taken of \(remaining)" }
        if words[current] != .live(remaining - taken) { return "left: \(words[current])" }
        return nil
    }
}
