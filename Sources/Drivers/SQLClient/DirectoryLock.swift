#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Exclusive use of a data directory, from `init` until the last reference is gone. The system
/// frees it when the process ends, however it ends.
package final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Makes the directory where it is missing (its parent must exist) and locks a file in it.
    /// - Parameter file: name of the lock file; locks of different names do not meet.
    /// - Throws: `.busy` when another holder, in this process or another, has the lock.
    package init(_ directory: String, file: String = "lock") throws(SQLError) {
        let path = directory + "/" + file
        // SAFETY: the bridged paths live as long as the calls.
        if unsafe mkdir(directory, 0o755) != 0, errno != EEXIST {
            throw Self.error(errno, "the data directory \(directory) cannot be made")
        }
        let opened = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard opened >= 0 else { throw Self.error(errno, "\(path) cannot be opened") }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let holder = Self.content(of: opened)
            closeFile(opened)
            guard reason == EWOULDBLOCK else {
                throw Self.error(reason, "\(path) cannot be locked")
            }
            let who = holder.isEmpty ? "another process" : "process \(holder)"
            throw SQLError(
                code: .busy, rawCode: reason,
                message: "\(directory) is in use by \(who); stop it, or choose another directory")
        }
        descriptor = opened
        Self.write("\(getpid())", to: opened)
    }

    /// Locks `file` in the directory of the file at `path`.
    package convenience init(besides path: String, file: String) throws(SQLError) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        try self.init(directory, file: file)
    }

    deinit { closeFile(descriptor) }

    /// The holder's process id, only for the message.
    private static func write(_ text: String, to descriptor: Int32) {
        ftruncate(descriptor, 0)
        // SAFETY: the bytes are read during the call only.
        _ = unsafe text.utf8.withContiguousStorageIfAvailable {
            unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0)
        }
    }

    private static func content(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        // SAFETY: the array has room for the count given.
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
        }
        return String(decoding: bytes.prefix(Swift.max(0, count)), as: UTF8.self)
    }

    private static func error(_ number: Int32, _ what: String) -> SQLError {
        // SAFETY: the C string is copied at once.
        let why = unsafe String(cString: strerror(number))
        return SQLError(code: .cannotOpen, rawCode: number, message: "\(what): \(why)")
    }
}

/// The system call, by a name that no method hides.
private func closeFile(_ descriptor: Int32) { _ = close(descriptor) }
