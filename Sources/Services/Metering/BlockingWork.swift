import Foundation

/// Runs blocking work on a thread of its own, so that the cooperative pool stays free.
enum BlockingWork {
    static func run<Answer: Sendable>(
        _ name: String, _ body: @escaping @Sendable () -> Answer
    ) async -> Answer {
        await withCheckedContinuation { (done: CheckedContinuation<Answer, Never>) in
            let thread = Thread { done.resume(returning: body()) }
            thread.name = name
            thread.stackSize = 8 << 20
            thread.start()
        }
    }
}
