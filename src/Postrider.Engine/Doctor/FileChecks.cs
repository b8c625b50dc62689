namespace Postrider.Doctor;

/// <summary>The disk under the data, and who may read there.</summary>
static class FileChecks
{
    const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    static readonly TimeSpan Fortnight = TimeSpan.FromDays(14);

    /// <summary>So many times what must be free is little.</summary>
    const int Ample = 4;

    // Locks and shared memory maps over a network are not what SQLite's log needs (https://sqlite.org/wal.html, read 2026-11).
    static readonly string[] Networks = ["nfs", "nfs4", "cifs", "smb2", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.s3fs", "glusterfs"];
    static readonly string[] Memories = ["tmpfs", "ramfs"];

    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("files.open", "May nobody else read mail and keys?", static (facts, found) =>
            facts.Paths.Where(path => path.Mode is { } mode && (mode & Others) != 0).Select(path => found.Fault(
                $"Other users of this machine may open {path.Path} ({Octal(path.Mode!.Value)}): addresses, mail or keys are in it.",
                Remedy(path, path.Mode.Value)))),
        Check.Of("disk.full", "Is there room for mail?", static (facts, found) =>
            facts.Disk is { } disk && disk.FreeBytes < disk.NeededBytes
                ? [found.Fault($"The disk of {disk.Folder} has {Megabytes(disk.FreeBytes)} free, less than {Megabytes(disk.NeededBytes)}: no mail "
                    + "is accepted or sent.", "Free some space, or shorten what is kept: postrider retention shows what takes it.")]
                : []),
        Check.Of("disk.filling", "Will there be room tomorrow?", static (facts, found) =>
            facts.Disk is { } disk && disk.FreeBytes >= disk.NeededBytes && disk.FreeBytes < Ample * disk.NeededBytes
                ? [found.Warning($"The disk of {disk.Folder} has {Megabytes(disk.FreeBytes)} free; below {Megabytes(disk.NeededBytes)} no mail is "
                    + "accepted or sent.", "Free some space, or shorten what is kept: postrider retention shows what takes it.")]
                : []),
        Check.Of("disk.forecast", "Will there be room in a fortnight?", static (facts, found) =>
            facts.Growth is { FullIn: { } full } growth && full < Fortnight
                ? [found.Warning(string.Create(System.Globalization.CultureInfo.InvariantCulture,
                        $"The database grows by {growth.BytesPerDay / 1e6:N1} MB a day, and has room for {full.TotalDays:0.#} days of that."),
                    "Give it more room, or shorten what is kept: postrider retention shows what takes it.")]
                : []),
        Check.Of("disk.kind", "Does the disk keep what was written?", static (facts, found) =>
            facts.Disk is not { } disk ? []
            : Networks.Contains(disk.Format) ? [found.Fault($"{disk.Folder} is on a network share ({disk.Format}), on which SQLite loses data.",
                "Put POSTRIDER_DATA on a local disk, or use PostgreSQL (POSTRIDER_STORE=postgres://…).")]
            : Memories.Contains(disk.Format) ? [found.Fault($"{disk.Folder} is in memory ({disk.Format}): all mail is gone when the machine stops.",
                "Put POSTRIDER_DATA on a disk.")]
            : []),
    ];

    // What others use too must stay as it is: /tmp with 700 stops half a machine.
    static string Remedy(PathFact path, UnixFileMode mode) => (mode & UnixFileMode.UserExecute) == 0 ? $"chmod 600 {path.Path}"
        : IsShared(path.Path, mode) ? $"{path.Path} is not Postrider's alone, leave it as it is: put the data in a folder of its own, such as "
            + "POSTRIDER_DATA=/var/lib/postrider or POSTRIDER_STORE=sqlite:/var/lib/postrider/postrider.db."
        : $"chmod 700 {path.Path}";

    static bool IsShared(string folder, UnixFileMode mode) => (mode & (UnixFileMode.StickyBit | UnixFileMode.OtherWrite)) != 0
        || Systems.Contains(folder.Length > 1 ? folder.TrimEnd('/') : folder);

    // Folders of the Filesystem Hierarchy Standard 3.0 that hold what others put there.
    static readonly string[] Systems =
    [
        "/", "/bin", "/boot", "/dev", "/dev/shm", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/run", "/sbin", "/srv", "/tmp", "/usr",
        "/usr/local", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/local", "/var/log", "/var/mail", "/var/opt", "/var/spool", "/var/tmp",
    ];

    static string Octal(UnixFileMode mode) => Convert.ToString((int)mode & 0b111_111_111_111, 8).PadLeft(3, '0');

    static string Megabytes(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes >> 20} MB");
}
