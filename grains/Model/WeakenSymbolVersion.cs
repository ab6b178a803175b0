using System;
using System.IO;
using System.Text;
using Microsoft.Build.Utilities;

/// <summary>
/// Build task: marks one needed symbol version of a 64-bit little-endian ELF library as weak, so that the loader accepts a system that
/// lacks it.
/// </summary>
public sealed class WeakenSymbolVersion : Task
{
    private const uint VersionNeed = 0x6ffffffe; // SHT_GNU_verneed
    private const ushort Weak = 2;               // VER_FLG_WEAK

    public string Library { get; set; }

    public string Version { get; set; }

    public override bool Execute()
    {
        byte[] elf = File.ReadAllBytes(Library);
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F' || elf[4] != 2 || elf[5] != 1)
        {
            Log.LogError(Library + " is not a 64-bit little-endian ELF file.");
            return false;
        }

        int flags = FindFlags(elf);
        if (flags < 0 || BitConverter.ToUInt16(elf, flags) == Weak)
            return true;
        elf[flags] = (byte)Weak;
        elf[flags + 1] = 0;

        // Written beside and renamed: the file may be a hard link into the package cache.
        string beside = Library + ".weak";
        File.WriteAllBytes(beside, elf);
        File.Delete(Library);
        File.Move(beside, Library);
        return true;
    }

    /// <summary>Position of vna_flags of the version's entry, or -1 where the library does not need that version.</summary>
    private int FindFlags(byte[] elf)
    {
        long sections = BitConverter.ToInt64(elf, 0x28);
        int entrySize = BitConverter.ToUInt16(elf, 0x3a);
        int count = BitConverter.ToUInt16(elf, 0x3c);
        for (int i = 0; i < count; i++)
        {
            long section = sections + (long)i * entrySize;
            if (BitConverter.ToUInt32(elf, (int)section + 4) != VersionNeed)
                continue;
            long need = BitConverter.ToInt64(elf, (int)section + 24);
            long names = BitConverter.ToInt64(elf, (int)(sections + (long)BitConverter.ToUInt32(elf, (int)section + 40) * entrySize) + 24);
            while (true)
            {
                int auxiliaries = BitConverter.ToUInt16(elf, (int)need + 2);
                long auxiliary = need + BitConverter.ToUInt32(elf, (int)need + 8);
                for (int a = 0; a < auxiliaries; a++)
                {
                    if (NameAt(elf, names + BitConverter.ToUInt32(elf, (int)auxiliary + 8)) == Version)
                        return (int)auxiliary + 4;
                    auxiliary += BitConverter.ToUInt32(elf, (int)auxiliary + 12);
                }

                uint next = BitConverter.ToUInt32(elf, (int)need + 12);
                if (next == 0)
                    break;
                need += next;
            }
        }

        return -1;
    }

    private static string NameAt(byte[] elf, long position)
    {
        int end = Array.IndexOf(elf, (byte)0, (int)position);
        return Encoding.ASCII.GetString(elf, (int)position, end - (int)position);
    }
}
