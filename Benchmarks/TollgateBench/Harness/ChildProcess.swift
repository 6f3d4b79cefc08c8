import Foundation

/// A program that a benchmark starts, and ends with itself.
final class ChildProcess {
    private let process = Process()
    private let output = Pipe()

    init(_ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit { stop() }

    var identifier: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// Waits for a line on its standard output.
    func line(startingWith prefix: String) throws -> String {
        var text = ""
        while true {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { throw BenchmarkFailure("the program ended before `\(prefix)`") }
            text += String(decoding: data, as: UTF8.self)
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
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// Runs a program to its end.
    /// - Returns: what it wrote to its standard output.
    static func output(_ arguments: [String]) throws -> String {
        let child = try ChildProcess(arguments)
        let data = child.output.fileHandleForReading.readDataToEndOfFile()
        child.process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard child.process.terminationStatus == 0 else {
            throw BenchmarkFailure(
                "`\(arguments.joined(separator: " "))` ended with "
                    + "\(child.process.terminationStatus): \(text)")
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
