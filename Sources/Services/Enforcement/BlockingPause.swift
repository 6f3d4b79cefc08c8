import Foundation

/// Sleeps on an owned thread (never on the cooperative pool).
enum BlockingPause {
    static func millisecond() { Thread.sleep(forTimeInterval: 0.001) }
}
