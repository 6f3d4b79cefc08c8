import Foundation

/// A program that a benchmark starts, and ends with itself.
///
/// Spawned directly: Foundation's `Process` waits on a run loop, which spins when it is waited for
/// on a thread of the concurrency pool.
final class ChildProcess {
    let identifier: pid_t
    private let output: Int32
    private var hasEnded = false
    private var status: Int32 = 0

    /// - Parameter arguments: the program, found by `PATH`, and what it gets.
    init(_ arguments: [String]) throws {
        var ends: [Int32] = [-1, -1]
        // SAFETY (all of this initialiser): every pointer is to a local that outlives the call it
        // is handed to; the argument strings are freed after the spawn.
        guard unsafe pipe(&ends) == 0 else { throw BenchmarkFailure("no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        output = ends[0]
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // Threads of the pool block signals, and a child would inherit that.
        var attributes = posix_spawnattr_t()
        var noSignals = sigset_t()
        unsafe sigemptyset(&noSignals)
        unsafe posix_spawnattr_init(&attributes)
        unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let code = unsafe posix_spawnp(
            &child, arguments[0], &actions, &attributes, &words, environ)
        unsafe posix_spawnattr_destroy(&attributes)
        unsafe posix_spawn_file_actions_destroy(&actions)
        close(ends[1])
        identifier = child
        guard code == 0 else {
            hasEnded = true
            throw BenchmarkFailure("cannot start \(arguments[0]); is it installed?")
        }
    }

    deinit {
        stop()
        close(output)
    }

    var isRunning: Bool {
        if !hasEnded { reap(WNOHANG) }
        return !hasEnded
    }

    private func reap(_ flags: Int32) {
        // SAFETY: the call fills a field of this object.
        hasEnded = unsafe waitpid(identifier, &status, flags) != 0
    }

    /// - Returns: nothing more comes when it is empty.
    private func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        // SAFETY: the buffer has as many bytes as the call is told.
        let count = unsafe Glibc.read(output, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }

    /// Waits for a line on its standard output.
    func line(startingWith prefix: String) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = read()
            if more.isEmpty { throw BenchmarkFailure("the program ended before `\(prefix)`") }
            bytes += more
            let text = String(decoding: bytes, as: UTF8.self)
            if let line = text.split(separator: "\n").first(where: { $0.hasPrefix(prefix) }) {
                return String(line)
            }
        }
    }

    /// Processor seconds it has used.
    func processorSeconds() -> Double {
        let path = "/proc/\(identifier)/stat"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { return .nan }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    func stop() {
        guard !hasEnded else { return }
        kill(identifier, SIGTERM)
        reap(0)
    }

    /// Runs a program to its end.
    /// - Returns: what it wrote to its standard output.
    static func output(_ arguments: [String]) throws -> String {
        let child = try ChildProcess(arguments)
        var bytes: [UInt8] = []
        while case let more = child.read(), !more.isEmpty { bytes += more }
        child.reap(0)
        let text = String(decoding: bytes, as: UTF8.self)
        guard child.status == 0 else {
            throw BenchmarkFailure(
                "`\(arguments.joined(separator: " "))` ended with \(child.status): \(text)")
        }
        return text
    }
}

/// A folder that goes away with its owner.
final class ScratchFolder {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "tollgate-bench-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

enum FreePort {
    /// A TCP port on loopback that nobody listens on at this moment.
    static func find() throws -> Int {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the address and its length describe the same local variable.
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                unsafe bind(socket, raw, length) == 0 && getsockname(socket, raw, &length) == 0
            }
        }
        guard status else { throw BenchmarkFailure("no free port on loopback") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
