{# USES_VARIABLES { _rows } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% set _float = c_data_type(variables[target].dtype) %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% macro _target() %}{{_array(target)}}{{' + %d' % start if start}}{% endmacro %}
{% macro _product(p, left, beta, out, kept='') %}
{% if alone %}
dense_row<{{_float}}>({{'true' if transposed else 'false'}}, {{n_out}}, {{n_in}}, {{p.scale}}, {{left}}, {{_array(p.right)}}, {{beta}}, {{out}});
{% else %}
dense_gemm(false, {{'true' if transposed else 'false'}}, _n_rows, {{n_out}}, {{n_in}}, {{kept}}{{p.scale}}, {{left}}, {{n_in}}, {{_array(p.right)}}, {{n_in if transposed else n_out}}, {{beta}}, {{out}}, {{n_out}});
{% endif %}
{%- endmacro %}
{# Each row has its own changes of the weights. #}
{% macro _private_product(p, beta, out) %}
    if ({{_array(private.open)}}[0])
    {
        {{_product(p, _array(p.left), beta, out, _array(private.kept) + '[0] * ')}}
        {% set received, sent = (private.pre, private.post) if to == 'post' else (private.post, private.pre) %}
        dense_each_row({{_array(private.count)}}[0], _n_rows, {{n_in}}, {{n_out}}, {{p.scale}}, {{_array(p.left)}},
                       {{_history(received)}}.data(), {{_history(sent)}}.data(), {{out}});
    }
    else
    {
        {{_product(p, _array(p.left), beta, out)}}
    }
{%- endmacro %}
{% macro _history(name) %}{{get_array_name(variables[name], access_data=False)}}{% endmacro %}
{% block extra_headers %}
{% include 'blas.h' %}
{% endblock %}
{% macro _each(e, out) %}
{{_macros.each(e, {'n_pre': n_pre, 'n_post': n_post, 'stored_transposed': stored_transposed}, variables, get_array_name, scalar_code, vector_code, out, '_row * %d + _%s' % (n_out, to))}}
{%- endmacro %}

{% block maincode %}
    dense_use_one_thread();
    {{_macros.rows(constant_or_scalar('_rows', variables['_rows']), owner.name)}}
    {{_macros.scalars(scalar_code, vector_code)}}
{% if clamped %}
    {% set p = products[0] %}
    {% set names = clamped.names %}
    {% set step = constant_or_scalar('_clamped_step', variables['_clamped_step']) %}
    {% set _drive_type = c_data_type(variables[names.drive].dtype) %}
    if ({{step}} == 0 || !{{_array(names.drive_valid)}}[0])
    {
        // The source shows new rows, or a run begins: their drive by the weights as they are now.
        {{_product(p, _array(p.left), '(%s)0' % _drive_type, _array(names.drive))}}
        {{_array(names.gram_valid)}}[0] = 0;
        {{_array(names.drive_valid)}}[0] = 1;
    }
    else if ({{_array(names.pending)}}[0])
    {
        // The weights have moved by learned^T delta, so the drive moves by (left learned^T) delta.
        if (!{{_array(names.gram_valid)}}[0])
        {
            dense_gemm(false, true, _n_rows, _n_rows, {{n_in}}, ({{_drive_type}})1 / _n_rows,
                       {{_array(p.left)}}, {{n_in}}, {{_array(names.learned)}}, {{n_in}}, 0,
                       {{_array(names.gram)}}, _n_rows);
            {{_array(names.gram_valid)}}[0] = 1;
        }
        dense_gemm(false, false, _n_rows, {{n_out}}, _n_rows, {{p.scale}}, {{_array(names.gram)}},
                   _n_rows, {{_array(names.delta)}}, {{n_out}}, 1, {{_array(names.drive)}}, {{n_out}});
    }
    {{_array(names.pending)}}[0] = 0;
    // Others may have written to the target.
    std::copy_n({{_array(names.drive)}}, _n_rows * {{n_out}}, {{_array(target)}});
{% else %}
    {{_macros.evaluate('pre', sizes.pre, scalar_code, vector_code)}}
    {{_macros.evaluate('post', sizes.post, scalar_code, vector_code)}}
    {{_macros.evaluate('matrix', sizes.matrix, scalar_code, vector_code)}}
    {% set written = namespace(value=accumulate) %}
    {% for p in products %}
    {% set out = _array(p.buffer) if p.buffer else _target() %}
    {% set beta = '(%s)%d' % (_float, not p.buffer and written.value) %}
    {% if p.inner %}
    dense_differences<{{c_data_type(variables[p.buffer].dtype)}}>(_n_rows, {{n_out}}, {{n_in}}, {{_array(p.left) if p.left else 'nullptr'}}, {{_array(p.inner)}}, {{_array(p.outer)}}, {{_array(p.right) if p.right else 'nullptr'}}, {{'true' if transposed else 'false'}}, {{out}});
    {% elif not p.right %}
    dense_row_sums(_n_rows, {{n_out}}, {{n_in}}, {{p.scale}}, {{_array(p.left)}}, {{beta}}, {{out}});
    {% elif private and p.right == private.target %}
    {{_private_product(p, beta, out)}}
    {% else %}
    {{_product(p, _array(p.left), beta, out)}}
    {% endif %}
    {% set written.value = written.value or not p.buffer %}
    {% endfor %}
    {% if empties and not written.value %}
    std::fill_n({{_target()}}, {{sizes.combine}}, ({{_float}})0);
    {% endif %}
    {% for e in each %}
    {% if e.buffer %}
    std::fill_n({{_array(e.buffer)}}, {{sizes.combine}}, ({{c_data_type(variables[e.buffer].dtype)}})0);
    {% endif %}
    {{_each(e, _array(e.buffer) if e.buffer else '(' + _target() + ')')}}
    {% endfor %}
    {{_macros.evaluate('combine', sizes.combine, scalar_code, vector_code)}}
{% endif %}
{% endblock %}

{% block after_code %}
{% if clamped %}
    // Before the next run, the weights may be set.
    {{_array(clamped.names.drive_valid)}}[0] = 0;
{% else %}
    // EMPTY_CODE_BLOCK
{% endif %}
{% endblock %}
