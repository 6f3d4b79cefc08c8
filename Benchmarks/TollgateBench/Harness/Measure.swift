import Foundation
import KafkaClient
import Synchronization

/// Why a benchmark gave no figure, or a wrong result.
struct BenchmarkFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

enum Measure {
    static func nowNanoseconds() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Nanoseconds that `body` took.
    static func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
        let start = nowNanoseconds()
        try body()
        return Double(nowNanoseconds() - start)
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Two things measured in turn, so that a busy moment of the machine meets both.
    static func alternating(
        runs: Int, _ first: () throws -> Double, _ second: () throws -> Double
    ) rethrows -> (first: Double, second: Double) {
        var pairs: (first: [Double], second: [Double]) = ([], [])
        for _ in 0..<runs {
            pairs.first.append(try first())
            pairs.second.append(try second())
        }
        return (median(pairs.first), median(pairs.second))
    }

    /// Nanoseconds until `body` has ended on every one of `count` threads started together.
    static func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> Double {
        if count == 1 { return nanoseconds { body(0) } }
        let ready = Ready()
        let done = DispatchSemaphore(value: 0)
        for index in 0..<count {
            _ = OwnedThread.start {
                ready.arrived.add(1, ordering: .acquiringAndReleasing)
                while !ready.isOpen.load(ordering: .acquiring) {}
                body(index)
                done.signal()
            }
        }
        while ready.arrived.load(ordering: .acquiring) < count { usleep(100) }
        return nanoseconds {
            ready.isOpen.store(true, ordering: .releasing)
            for _ in 0..<count { done.wait() }
        }
    }

    private final class Ready: Sendable {
        let arrived = Atomic<Int>(0)
        let isOpen = Atomic<Bool>(false)
    }

    /// Bytes of this process in memory.
    static func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4_096 : 0
    }

    /// Processor seconds that this process has used.
    static func processorSeconds() -> Double {
        var time = timespec()
        // SAFETY: the call fills the local variable and keeps no pointer.
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
