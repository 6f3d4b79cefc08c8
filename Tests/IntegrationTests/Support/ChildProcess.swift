import Foundation
import Glibc
import Synchronization

/// A child whose output goes to files. Killed with its last owner, if it still runs.
final class ChildProcess: Sendable {
    let pid: Int32
    private let outputPath: String
    private let errorPath: String
    private let status = Mutex<Int32?>(nil)

    /// - Parameter name: of the two files for its output, in `folder`.
    init(
        _ program: String, _ arguments: [String], folder: TestFolder, name: String,
        environment: [String: String] = [:]
    ) throws {
        outputPath = folder.path + "/" + name + ".out"
        errorPath = folder.path + "/" + name + ".err"
        var variables = ProcessInfo.processInfo.environment
        variables["SWIFT_BACKTRACE"] = "enable=no"
        for (key, value) in environment { variables[key] = value }
        pid = try Self.spawn(
            [program] + arguments, variables.map { "\($0)=\($1)" }, outputPath, errorPath)
    }

    deinit {
        if hasEnded { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    private static func spawn(
        _ arguments: [String], _ environment: [String], _ output: String, _ error: String
    ) throws -> Int32 {
        // SAFETY: every C string is freed after the spawn, which copies what it needs.
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, error, flags, 0o600)
        var argv = unsafe arguments.map { unsafe strdup($0) }
        var envp = unsafe environment.map { unsafe strdup($0) }
        unsafe argv.append(nil)
        unsafe envp.append(nil)
        defer {
            unsafe argv.forEach { unsafe free($0) }
            unsafe envp.forEach { unsafe free($0) }
        }
        var pid: Int32 = 0
        let code = unsafe posix_spawn(&pid, arguments[0], &actions, nil, argv, envp)
        guard code == 0 else {
            throw Unmet("cannot start \(arguments[0]): \(unsafe String(cString: strerror(code)))")
        }
        return pid
    }

    var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
    var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

    func send(_ signal: Int32) { if !hasEnded { kill(pid, signal) } }

    /// The raw wait status once it has ended.
    private var waitStatus: Int32? {
        status.withLock { known in
            if known != nil { return known }
            var raw: Int32 = 0
            // SAFETY: `raw` is a local.
            if unsafe waitpid(pid, &raw, WNOHANG) == pid { known = raw }
            return known
        }
    }

    var hasEnded: Bool { waitStatus != nil }

    /// Waits for the end.
    /// - Returns: the exit code, or minus the number of the signal that ended it.
    func exitCode(within seconds: Int = 40) async throws -> Int32 {
        let raw = try await eventually("the end of process \(pid)", within: seconds) { waitStatus }
        return raw & 0x7f == 0 ? (raw >> 8) & 0xff : -(raw & 0x7f)
    }

    /// SIGKILL, and wait until it is gone.
    func killAtOnce() async throws {
        send(SIGKILL)
        _ = try await exitCode()
    }
}

/// Runs a command to its end.
func run(
    _ program: String, _ arguments: [String], folder: TestFolder, name: String = "command",
    environment: [String: String] = [:]
) async throws -> (code: Int32, output: String, errors: String) {
    let child = try ChildProcess(
        program, arguments, folder: folder, name: name, environment: environment)
    let code = try await child.exitCode()
    return (code, child.output, child.errors)
}
