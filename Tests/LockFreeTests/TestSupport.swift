import Dispatch
import Foundation
import Synchronization

/// Runs `body` on real threads, which the system preempts anywhere, and waits for all of them.
/// They start together, so that short bodies overlap too.
func onThreads(_ count: Int, _ body: @escaping @Sendable (_ index: Int) -> Void) {
    let done = DispatchGroup()
    let waiting = Countdown(count)
    for index in 0..<count {
        done.enter()
        Thread.detachNewThread {
            waiting.arriveAndWait()
            body(index)
            done.leave()
        }
    }
    done.wait()
}

/// Lets nobody through before all have arrived.
private final class Countdown: Sendable {
    private let missing: Atomic<Int>

    init(_ count: Int) { missing = Atomic(count) }

    func arriveAndWait() {
        missing.subtract(1, ordering: .acquiringAndReleasing)
        while missing.load(ordering: .acquiring) > 0 { Thread.sleep(forTimeInterval: 0) }
    }
}

/// A flag that one thread raises for the others.
final class Flag: Sendable {
    private let raised = Atomic<Bool>(false)
    var isRaised: Bool { raised.load(ordering: .acquiring) }
    func raise() { raised.store(true, ordering: .releasing) }
}

/// A sum over threads.
final class Tally: Sendable {
    private let units = Atomic<Int64>(0)
    var sum: Int64 { units.load(ordering: .acquiring) }
    func add(_ delta: Int64) { units.wrappingAdd(delta, ordering: .acquiringAndReleasing) }
}

/// SplitMix64: the same seed gives the same run.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
