"""What a user of Slicer installs: every runtime file, nothing else, where Slicer looks for it, with complete metadata.

CMake runs for real, with the package of Testing/cmake in the place of Slicer's.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from extension_build import ExtensionBuild, checked, configure, run
from list_runtime_files import modules, owner, runtime_files, with_current_list
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "MedEnhance"
CMAKE_TEXT = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
TOP, LISTS, TESTS = "CMakeLists.txt", "MedEnhance/CMakeLists.txt", "Testing/CMakeLists.txt"
MODULES = modules(runtime_files(SOURCE))
RAW = "https://raw.githubusercontent.com/"


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def described(extension: ExtensionBuild) -> dict[str, str]:
    """The installed meta-information: the first word of each line is the keyword."""
    (path,) = extension.install.rglob("MedEnhance.s4ext")
    return dict(line.partition(" ")[::2] for line in path.read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="module")
def fresh(installed_extension: ExtensionBuild, tmp_path_factory: pytest.TempPathFactory) -> ExtensionBuild:
    return installed_extension.installed_again(tmp_path_factory.mktemp("fresh install"))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of all that CMake reads, to be broken."""
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist", "*.safetensors", "*.nrrd")
    project = tmp_path / "project"
    shutil.copytree(SOURCE, project / "MedEnhance", ignore=leave_out)
    for path in SOURCE.rglob("*"):  # the large ones need only exist
        if path.suffix in {".safetensors", ".nrrd"} and "build" not in path.relative_to(SOURCE).parts:
            (project / "MedEnhance" / path.relative_to(SOURCE)).touch()
    for name in ("Testing/CMakeLists.txt", "Testing/in_slicer/MedEnhanceExtensionTest.py", "CMakeLists.txt", "LICENSE"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, project / name)
    shutil.copyfile(ROOT / "README.md", project / "README.md")
    return project


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_of_runtime_files_is_current():
    text = (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8")
    assert text == with_current_list(text, SOURCE), "run: python Testing/cmake/list_runtime_files.py"


def test_a_file_that_is_not_listed_makes_the_list_out_of_date(copied):
    text = (copied / LISTS).read_text(encoding="utf-8")
    current = with_current_list(text, copied / "MedEnhance")
    (copied / "MedEnhance" / "MedEnhanceLib" / "Forgotten.py").touch()
    changed = with_current_list(current, copied / "MedEnhance")
    assert set(changed.splitlines()) - set(current.splitlines()) == {"  MedEnhanceLib/Forgotten.py"}


def test_what_serves_development_is_not_listed(copied):
    before = runtime_files(copied / "MedEnhance")
    for name in ("medenhance/__pycache__/cache.pyc", "medenhance.egg-info/PKG-INFO", "build/lib/medenhance/cache.py"):
        (copied / "MedEnhance" / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / "MedEnhance" / name).touch()
    assert runtime_files(copied / "MedEnhance") == before
    assert not {"CMakeLists.txt", "pyproject.toml"} & set(before)


def test_a_module_owns_its_file_and_the_resources_with_its_name_and_the_library_owns_the_rest():
    names = ["MedEnhanceOne", "MedEnhanceTwo"]
    assert owner("MedEnhanceOne.py", names) == "MedEnhanceOne"
    assert owner("Resources/Icons/MedEnhanceTwo.png", names) == "MedEnhanceTwo"
    assert owner("Resources/Icons/shared.svg", names) == "MedEnhanceLib"
    assert owner("medenhance/MedEnhanceOne.py", names) == "MedEnhanceLib"


def test_a_list_without_its_markers_is_refused():
    with pytest.raises(ValueError, match="markers"):
        with_current_list("project(MedEnhance)\n", SOURCE)


# --- the installed tree -----------------------------------------------------------------------------------------------


def test_every_runtime_file_is_installed_with_the_same_bytes_and_nothing_else(fresh):
    expected = {name: (SOURCE / name).read_bytes() for name in runtime_files(SOURCE)}
    assert files_below(fresh.modules_folder) == expected


def test_beside_the_modules_only_the_description_is_installed(fresh):
    inside = fresh.modules_folder.relative_to(fresh.install).as_posix()
    others = [name for name in files_below(fresh.install) if not name.startswith(inside + "/")]
    assert [Path(name).name for name in others] == ["MedEnhance.s4ext"]


def test_modules_lie_where_slicer_looks_for_them(fresh):
    assert fresh.modules_folder.as_posix().endswith("/lib/Slicer-5.12/qt-scripted-modules")
    assert sorted(path.stem for path in fresh.modules_folder.glob("*.py")) == sorted(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_python_file_at_the_top_is_a_module(name):
    """Slicer tries each of them as one and reports an error for what is none."""
    assert {name, f"{name}Widget"} <= classes_of(name).keys()


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_self_test_that_tests_something(name):
    """Without one, its CTest entry would pass on Slicer's empty base class."""
    self_test = classes_of(name).get(f"{name}Test")
    assert self_test is not None, f"{name}.py needs a class {name}Test(ScriptedLoadableModuleTest)"
    methods = {node.name for node in self_test.body if isinstance(node, ast.FunctionDef)}
    assert any(method.startswith("test_") for method in methods), "unittest finds methods named test_..."


def classes_of(name: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((SOURCE / f"{name}.py").read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def test_the_installed_core_runs_and_finds_its_models(installed_tree, tmp_path):
    code = (
        "import medenhance; print(medenhance.__file__); from medenhance.__main__ import main; main(['models', 'list'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed_tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = checked(subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False))
    place, listing = done.stdout.split("\n", 1)
    assert Path(place) == installed_tree / "medenhance" / "__init__.py"
    assert "redcnn-compact" in listing


def test_the_package_holds_what_is_installed(fresh, installed_extension, tmp_path):
    checked(run("cpack", "--config", installed_extension.build / "CPackConfig.cmake", "-B", tmp_path))
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as package:
        packed = {"/".join(Path(member.name).parts[1:]) for member in package.getmembers() if member.isfile()}
    assert packed == set(files_below(fresh.install))


# --- CTest ------------------------------------------------------------------------------------------------------------


def test_ctest_lists_a_generic_and_a_self_test_for_each_module_and_one_for_the_extension(installed_extension):
    generic = {f"py_nomainwindow_qSlicer{name}ModuleGenericTest" for name in MODULES}
    own = {f"py_{name}" for name in MODULES}
    assert set(installed_extension.ctest_entries()) == generic | own | {"py_MedEnhanceExtensionTest"}


def test_each_test_imports_a_file_that_exists_and_sees_the_modules_of_the_build(installed_extension):
    for name, entry in installed_extension.ctest_entries().items():
        command = entry["command"]
        code = ast.parse(command[command.index("--python-code") + 1])
        call = code.body[1].value
        assert ast.unparse(call.func) == "slicer.testing.runUnitTest"
        folders, test = (ast.literal_eval(argument) for argument in call.args)
        assert any((Path(folder) / f"{test}.py").is_file() for folder in folders), name
        loaded = Path(command[command.index("--additional-module-paths") + 1])
        assert loaded == installed_extension.build / "lib" / "Slicer-5.12" / "qt-scripted-modules"
        assert {"name": "RUN_SERIAL", "value": True} in entry["properties"]


def test_no_test_is_disabled(installed_extension):
    for entry in installed_extension.ctest_entries().values():
        assert not {"DISABLED", "WILL_FAIL"} & {each["name"] for each in entry["properties"]}


def test_the_in_slicer_test_knows_all_modules():
    tree = ast.parse((ROOT / "Testing" / "in_slicer" / "MedEnhanceExtensionTest.py").read_text(encoding="utf-8"))
    values = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert sorted(ast.literal_eval(values["MODULES"])) == sorted(MODULES)


def test_without_testing_nothing_is_registered(copied, tmp_path):
    replace(copied / TOP, "find_package(Slicer", "set(BUILD_TESTING OFF)\nfind_package(Slicer")
    checked(configure(copied, tmp_path / "build"))
    assert ExtensionBuild(tmp_path / "build", tmp_path / "install").ctest_entries() == {}


# --- what must stop the configuration ---------------------------------------------------------------------------------


def test_an_untouched_copy_configures(copied, tmp_path):
    checked(configure(copied, tmp_path / "build"))


MISTAKES = [
    # file, what stands there, what is written instead, what CMake says
    (LISTS, "slicerMacroBuildScriptedModule(", "slicerMacroBuildScriptModule(", "Unknown CMake command"),
    (LISTS, "WITH_GENERIC_TESTS", "WITH_GENERIC_TEST", "nonexistent file or directory 'WITH_GENERIC_TEST'"),
    (LISTS, "  NAME MedEnhanceLib\n", "  MedEnhanceLib\n", "unknown keywords: MedEnhanceLib"),
    (LISTS, "  NAME MedEnhanceLib\n", "", "NAME is mandatory"),
    (LISTS, "medenhance/cache.py", "medenhance/cash.py", "nonexistent file or directory 'medenhance/cash.py'"),
    (LISTS, "set(MedEnhance_MODULES\n", "set(MedEnhance_MODULES\n  MedEnhanceAbsent\n", "SCRIPTS is mandatory"),
    (LISTS, "  medenhance/py.typed\n", "  medenhance/py.typed\n" * 2, "'medenhance/py.typed' is listed twice"),
    (TESTS, "slicer_add_python_unittest", "slicer_add_unittest", "Unknown CMake command"),
    (TESTS, "MedEnhanceExtensionTest.py", "NoSuchTest.py", "NoSuchTest.py' does not exist"),
    (TESTS, "${CMAKE_CURRENT_SOURCE_DIR}/in_slicer", "in_slicer", "give a bare name or an absolute path"),
    (TOP, "set(EXTENSION_ICONURL", "set(EXTENSION_ICON_URL", "EXTENSION_ICONURL is either not defined or empty"),
    (TOP, "/LICENSE", "/LICENCE", "EXTENSION_LICENSE_FILE points to an inexistent file"),
    (TOP, "include(${Slicer_USE_FILE})", "", "Unknown CMake command"),
    (TOP, "find_package(Slicer", 'set(EXTENSION_NAME "Other")\nfind_package(Slicer', "is not the project's name"),
]


@pytest.mark.parametrize(("name", "old", "new", "complaint"), MISTAKES, ids=[mistake[3] for mistake in MISTAKES])
def test_a_mistake_stops_the_configuration(copied, tmp_path, name, old, new, complaint):
    replace(copied / name, old, new)
    done = configure(copied, tmp_path / "build")
    assert done.returncode != 0
    assert complaint in " ".join(done.stderr.split()), done.stderr


# --- metadata for the Extensions Index --------------------------------------------------------------------------------


def test_the_project_the_catalogue_entry_and_the_installed_description_have_one_name(fresh):
    assert re.findall(r"project\s*\(\s*([^\s)]+)", CMAKE_TEXT) == ["MedEnhance"]
    assert (ROOT / "MedEnhance.json").is_file()
    assert [path.stem for path in fresh.install.rglob("*.s4ext")] == ["MedEnhance"]


def test_the_catalogue_entry_follows_the_schema_and_agrees_with_cmake(fresh):
    entry = json.loads((ROOT / "MedEnhance.json").read_text(encoding="utf-8"))
    schema = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
    types = {"$schema": str, "category": str, "scm_url": str, "scm_revision": str, "scm_type": str, "tier": int,
             "build_dependencies": list, "build_subdirectory": str, "enabled": bool}  # fmt: skip
    assert {key: type(value) for key, value in entry.items()} == types
    assert (entry["$schema"], entry["scm_type"], entry["build_subdirectory"]) == (schema, "git", ".")
    assert 1 <= entry["tier"] <= 5
    description = described(fresh)
    assert entry["category"] == description["category"]
    assert entry["build_dependencies"] == description["depends"].split() == ["PyTorch"]
    assert entry["scm_url"] == description["homepage"] + ".git"
    # The index refuses a repository that does not say that it belongs to Slicer.
    assert description["homepage"].startswith("https://")
    assert "slicer" in description["homepage"].rpartition("/")[2].lower()


def test_the_description_is_complete_and_says_that_it_is_for_research(fresh):
    description = described(fresh)
    assert all(description[key] for key in ("homepage", "contributors", "description", "iconurl", "screenshoturls"))
    assert description["enabled"] == "1"
    assert "Research use only" in description["description"]
    assert len(description["description"]) <= 400


@pytest.mark.parametrize(("variable", "least"), [("EXTENSION_ICONURL", 1), ("EXTENSION_SCREENSHOTURLS", 1)])
def test_icon_and_screenshots_are_literal_addresses_of_files_in_this_repository(fresh, variable, least):
    (value,) = re.findall(rf'set\({variable} "([^"$]+)"\)', CMAKE_TEXT)
    repository = described(fresh)["homepage"].removeprefix("https://github.com/")
    addresses = value.split()
    assert len(addresses) >= least
    for address in addresses:
        assert address.startswith(f"{RAW}{repository}/main/")
        assert (ROOT / address.removeprefix(f"{RAW}{repository}/main/")).is_file(), address


@pytest.mark.parametrize(
    "name", ["Resources/MedEnhance.png", *(f"MedEnhance/Resources/Icons/{m}.png" for m in MODULES)]
)
def test_icons_are_128_pixels_and_transparent_outside(name):
    with Image.open(ROOT / name) as icon:
        assert (icon.size, icon.mode) == ((128, 128), "RGBA")
        assert icon.getpixel((0, 0))[3] == 0
        assert icon.getpixel((64, 64))[3] == 255


def test_the_licence_stands_in_the_root_and_the_package_carries_ours(installed_extension):
    text = (installed_extension.build / "CPackConfig.cmake").read_text(encoding="utf-8")
    assert f'set(CPACK_RESOURCE_FILE_LICENSE "{(ROOT / "LICENSE").as_posix()}")' in text
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
