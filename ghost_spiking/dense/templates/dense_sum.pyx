{# ALLOWS_SCALAR_WRITE #}
{# Without replicas, and without a clamped source. #}
{% extends 'common_group.pyx' %}
{% import 'macros.pyx' as _macros %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% macro _target() %}({{_array(target)}} + {{start}}){% endmacro %}
{% macro _each(e, out) %}
{{_macros.each(e, {'n_pre': n_pre, 'n_post': n_post, 'stored_transposed': stored_transposed}, variables, get_array_name, scalar_code, vector_code, out, '_' + to)}}
{%- endmacro %}
{% block template_support_code %}
cdef extern from *:
    """
{% include 'rows.h' %}
    """
    void dense_row[T](bint, int, int, T, T*, T*, T, T*)
    void dense_difference[T](bint, int, int, T*, T*, T*, T*, T*)
    T dense_sum_of[T](int, T*)
{% endblock %}
{% block maincode %}
    {% set _float = cpp_dtype(variables[target].dtype) %}
    cdef int _pre, _post, _unit
    cdef double _total
{{_macros.scalars(scalar_code, vector_code)}}
{{_macros.evaluate('pre', sizes.pre, scalar_code, vector_code)}}
{{_macros.evaluate('post', sizes.post, scalar_code, vector_code)}}
{{_macros.evaluate('matrix', sizes.matrix, scalar_code, vector_code)}}
    {% if empties %}
    for _unit in range({{n_out}}):
        {{_target()}}[_unit] = 0
    {% endif %}
    {% for p in products %}
    {% set out = _array(p.buffer) if p.buffer else _target() %}
    {% set float = cpp_dtype(variables[p.buffer or target].dtype) %}
    {% if p.inner %}
    dense_difference[{{float}}]({{transposed}}, {{n_out}}, {{n_in}}, {{_array(p.left) if p.left else 'NULL'}}, {{_array(p.inner)}}, {{_array(p.outer)}}, {{_array(p.right) if p.right else 'NULL'}}, {{out}})
    {% elif p.right %}
    dense_row[{{float}}]({{transposed}}, {{n_out}}, {{n_in}}, {{p.scale}}, {{_array(p.left)}}, {{_array(p.right)}}, {{0 if p.buffer else 1}}, {{out}})
    {% else %}
    _total = {{p.scale}} * dense_sum_of[{{float}}]({{n_in}}, {{_array(p.left)}})
    for _unit in range({{n_out}}):
        {{out}}[_unit] {{'=' if p.buffer else '+='}} _total
    {% endif %}
    {% endfor %}
    {% for e in each %}
    {% if e.buffer %}
    for _unit in range({{n_out}}):
        {{_array(e.buffer)}}[_unit] = 0
    {% endif %}
{{_each(e, _array(e.buffer) if e.buffer else _target())}}
    {% endfor %}
{{_macros.evaluate('combine', sizes.combine, scalar_code, vector_code)}}
{% endblock %}
